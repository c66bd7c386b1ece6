{{- define "ascolto.name" -}}
{{- if contains "ascolto" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-ascolto" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "ascolto.selector" -}}
app.kubernetes.io/name: ascolto
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ascolto.labels" -}}
{{ include "ascolto.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What every process is told that is no secret. */}}
{{- define "ascolto.settings" -}}
{{- range $name, $value := .Values.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
ASCOLTO_RPC: {{ if .Values.rpc.tlsSecret }}grpcs{{ else }}grpc{{ end }}://{{ include "ascolto.name" . }}-{service}:8710
ASCOLTO_KEY_FILE: /run/secrets/ascolto/key
{{- if .Values.rpc.tlsSecret }}
ASCOLTO_RPC_CA: /run/secrets/rpc/ca.crt
ASCOLTO_RPC_CERT: /run/secrets/rpc/tls.crt
ASCOLTO_RPC_KEY: /run/secrets/rpc/tls.key
{{- end }}
{{- end }}

{{/* The entries of the chart's own Secret; all of them must be given. */}}
{{- define "ascolto.secrets" -}}
{{- range $name, $value := .Values.secret.settings }}
{{ $name }}: {{ required (printf "secret.settings.%s is empty: give the address, or name a Secret in secret.existing." $name) $value | b64enc }}
{{- end }}
key: {{ required "secret.key is empty: give it the output of `head -c 32 /dev/urandom | base64`, and keep a copy; or name a Secret in secret.existing." .Values.secret.key }}
{{- end }}

{{/* A pod: called with root, name (of ConfigMap and Secret), args, and whether it serves. */}}
{{- define "ascolto.pod" -}}
{{- $root := .root -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
terminationGracePeriodSeconds: 30
enableServiceLinks: false # they would be ASCOLTO_ names that are no settings
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: ascolto
    image: "{{ $root.Values.image.repository }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}"
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args: {{ .args | toJson }}
    envFrom:
      - configMapRef: {name: {{ .config }}}
    env:
      {{- range $name, $_ := $root.Values.secret.settings }}
      - name: {{ $name }}
        valueFrom:
          secretKeyRef: {name: {{ $.secret }}, key: {{ $name }}}
      {{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    {{- if .serves }}
    ports:
      - {name: http, containerPort: 8700}
      - {name: rpc, containerPort: 8710}
      {{- if eq .serves "intake" }}
      - {name: smtp, containerPort: 8725}
      {{- end }}
    startupProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /readyz, port: http}
      periodSeconds: 5
      timeoutSeconds: 5
    {{- end }}
    resources: {{ toYaml .resources | nindent 6 }}
    volumeMounts:
      - {name: data, mountPath: /var/lib/ascolto}
      - {name: tmp, mountPath: /tmp}
      - {name: key, mountPath: /run/secrets/ascolto, readOnly: true}
      {{- if $root.Values.rpc.tlsSecret }}
      - {name: rpc, mountPath: /run/secrets/rpc, readOnly: true}
      {{- end }}
volumes:
  - name: data # on its way only: what lasts lies in the servers
    emptyDir: {}
  - name: tmp
    emptyDir: {}
  - name: key
    secret:
      secretName: {{ .secret }}
      defaultMode: 0440
      items: [{key: key, path: key}]
  {{- if $root.Values.rpc.tlsSecret }}
  - name: rpc
    secret:
      secretName: {{ $root.Values.rpc.tlsSecret }}
      defaultMode: 0440
  {{- end }}
{{- end }}
