import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Starts a service with a virtual clock for a test, and drives it with the command `leasebook`. */
public final class Leasebook implements AutoCloseable {
    private static final String COMMAND = System.getenv().getOrDefault("LEASEBOOK_TEST_COMMAND", "leasebook");
    private final Process server;
    public final String url, accessKey, secretKey;

    public Leasebook() throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("leasebook-");
        Path file = folder.resolve("ready.json");
        ProcessBuilder starting = new ProcessBuilder(COMMAND, "serve", "--clock", "virtual", "--port", "0", "--ready-file",
            file.toString(), "--data", folder.resolve("data").toString(), "--faults");
        starting.environment().putAll(Map.of("LEASEBOOK_LOG_LEVEL", "error", "LEASEBOOK_ENGINES", "*=instant"));
        server = starting.redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        while (!Files.exists(file)) {
            if (server.waitFor(20, TimeUnit.MILLISECONDS)) {
                throw new IOException("leasebook serve ended with " + server.exitValue());
            }
        }
        String ready = Files.readString(file);
        url = text(ready, "url");
        accessKey = text(ready, "accessKey");
        secretKey = text(ready, "secretKey");
    }

    /** Calls an action with a body in JSON; returns the answer in JSON. Throws where it is refused, with the code. */
    public String call(String path, String action, String body) throws IOException, InterruptedException {
        ProcessBuilder calling = new ProcessBuilder(List.of(COMMAND, "call", "--url", url, path, action, body));
        calling.environment().putAll(Map.of("QIANFAN_ACCESS_KEY", accessKey, "QIANFAN_SECRET_KEY", secretKey));
        Process process = calling.redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new IllegalStateException(said);
        }
        return said;
    }

    /** Returns the text that a key has in JSON. */
    public static String text(String json, String key) {
        Matcher found = Pattern.compile("\"" + key + "\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
        return found.find() ? found.group(1) : null;
    }

    @Override
    public void close() throws InterruptedException {
        server.destroy();
        server.waitFor();
    }
}
