package ascolto.analysis;

import java.util.Map;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.LowerCaseFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.miscellaneous.ASCIIFoldingFilter;
import org.apache.lucene.analysis.miscellaneous.LengthFilter;
import org.apache.lucene.analysis.pattern.PatternTokenizer;
import org.apache.lucene.analysis.snowball.SnowballFilter;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.Plugin;

/**
 * What Ascolto's mapping needs of the module analysis-common, which the small distribution on Maven Central lacks, under
 * the standard names and parameters: a full Elasticsearch has all of it built in and takes the same mapping.
 */
public final class AnalysisPlugin extends Plugin implements org.elasticsearch.plugins.AnalysisPlugin {
    private interface Filter {
        TokenStream on(TokenStream input);
    }

    private static TokenFilterFactory named(String name, Filter filter) {
        return new AbstractTokenFilterFactory(name) {
            @Override
            public TokenStream create(TokenStream input) {
                return filter.on(input);
            }
        };
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of(
            "lowercase", (index, env, name, settings) -> named(name, LowerCaseFilter::new),
            "asciifolding", (index, env, name, settings) -> named(name, ASCIIFoldingFilter::new),
            "length", (index, env, name, settings) -> {
                int least = settings.getAsInt("min", 0);
                int most = settings.getAsInt("max", Integer.MAX_VALUE);
                return named(name, input -> new LengthFilter(input, least, most));
            },
            "snowball", (index, env, name, settings) -> {
                String language = settings.get("language", "English");
                return named(name, input -> new SnowballFilter(input, language));
            });
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("pattern", (index, env, name, settings) -> {
            Pattern pattern = Pattern.compile(settings.get("pattern", "\\W+"));
            return TokenizerFactory.newFactory(name, () -> new PatternTokenizer(pattern, -1));
        });
    }
}
