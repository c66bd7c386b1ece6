#!/bin/sh
# Compiles the analysis plugin and lays it into an unpacked Elasticsearch: build.sh ES_HOME
# Needs a JDK of 21 or newer: ES_JAVA_HOME, JAVA_HOME, or the newest Temurin in the system's usual folder.
set -eu

home=${1:?usage: build.sh ES_HOME}
here=$(cd "$(dirname "$0")" && pwd)
version=$(basename "$home"/lib/elasticsearch-[0-9]*.jar .jar | sed 's/^elasticsearch-//')
[ -f "$home/lib/elasticsearch-$version.jar" ] || { echo "There is no Elasticsearch in $home." >&2; exit 1; }

for java in "${ES_JAVA_HOME:-}" "${JAVA_HOME:-}" $(ls -d /usr/lib/jvm/*2[1-9]* 2>/dev/null | sort -r); do
    [ -n "$java" ] && [ -x "$java/bin/javac" ] && "$java/bin/javac" --release 21 -version >/dev/null 2>&1 && break
    java=
done
[ -n "$java" ] || { echo "No JDK of 21 or newer found: set ES_JAVA_HOME to one." >&2; exit 1; }

target=$home/modules/ascolto-analysis
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
"$java/bin/javac" --release 21 -proc:none -nowarn -cp "$home/lib/*" -d "$classes" "$here/AnalysisPlugin.java"
mkdir -p "$target"
"$java/bin/jar" --create --file "$target/ascolto-analysis.jar" -C "$classes" .
sed "s/@version@/$version/" "$here/plugin-descriptor.properties" >"$target/plugin-descriptor.properties"
chmod -R a+rX "$target"
echo "Analysis plugin for Elasticsearch $version in $target"
