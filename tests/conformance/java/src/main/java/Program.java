import com.baidubce.qianfan.core.QianfanConfig;
import com.baidubce.qianfan.util.Json;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.ToNumberPolicy;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.lang.reflect.Type;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * Calls a compute-unit server with the official Java client: one scenario, or several by names joined with "+".
 *
 * <p>Every call becomes one line of JSON on standard output. The client is used as its package ships it.
 */
public final class Program {
    private static final String BASE_URL = "QIANFAN_CONSOLE_API_BASE_URL";
    private static final String SERVICE = "svco-48esssdpa594";
    private static final String UNITS = "/v2/computeunit";
    private static final String SERVICE_UNITS = "/v2/serviceresources";

    /** The type of result that the client expects when nothing else is said. */
    private static final Type OBJECT = new TypeToken<Map<String, Object>>() {}.getType();

    /** A result of true needs to be asked for by its type: the client's default can only take an object. */
    private static final Type TRUTH = Boolean.class;

    private final String accessKey = System.getenv("QIANFAN_ACCESS_KEY");
    private final String secretKey = System.getenv("QIANFAN_SECRET_KEY");
    private Console console = new Console(accessKey, secretKey);

    private static void refuse(String reason) {
        System.err.println("refused to start: " + reason);
        System.exit(2);
    }

    private static boolean isLoopback(String address) {
        String host;
        try {
            host = URI.create(Objects.requireNonNullElse(address, "")).getHost();
        } catch (IllegalArgumentException unreadable) {
            return false;
        }
        return host != null
                && (host.equals("localhost") || host.equals("[::1]") || host.matches("127(\\.\\d{1,3}){3}"));
    }

    /** The client's default is a real cloud, so nothing starts without an address of this machine. */
    private static void stayOnThisMachine() {
        if (!isLoopback(System.getenv(BASE_URL))) {
            refuse(BASE_URL + " must name a loopback host");
        }
        // This client lets such a file win over the environment.
        if (Files.exists(Path.of(".env")) || System.getenv("QIANFAN_DOT_ENV_CONFIG_FILE") != null) {
            refuse("a .env file could send the client elsewhere");
        }
        for (String property : List.of("http.proxyHost", "https.proxyHost", "socksProxyHost")) {
            System.clearProperty(property);
        }
        if (!Objects.equals(QianfanConfig.getConsoleApiBaseUrl(), System.getenv(BASE_URL))) {
            refuse("the client did not take the address it was given");
        }
    }

    private static void emit(Map<String, Object> line) {
        System.out.println(Json.serialize(line));
    }

    /** Runs one call, writes its line, and gives back its result, or null after an error. */
    private <T> T call(String name, String route, String action, Map<?, ?> body, Type as) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("call", name);
        try {
            Console.Answer<T> answer = console.call(route, action, body, as);
            line.put("ok", true);
            line.put("result", answer.result());
            line.put("requestId", answer.requestId());
            return answer.result();
        } catch (RuntimeException problem) {
            line.put("ok", false);
            line.put("error", String.valueOf(problem.getMessage()));
            line.put("kind", problem.getClass().getSimpleName());
            return null;
        } finally {
            emit(line);
        }
    }

    private void describe(String name, String instanceId) {
        call(name, UNITS, "DescribeComputeUnit", Map.of("instanceId", instanceId), OBJECT);
    }

    /** Asks without a line of output until the unit is in the wanted status, at most 20 seconds. */
    private void waitForUnit(String instanceId, String wanted) throws InterruptedException {
        for (int tries = 0; tries < 100; tries++) {
            try {
                Console.Answer<Map<String, Map<String, Object>>> answer =
                        console.call(UNITS, "DescribeComputeUnit", Map.of("instanceId", instanceId), OBJECT);
                if (wanted.equals(answer.result().get("computeUnitInstance").get("status"))) {
                    return;
                }
            } catch (RuntimeException shownByTheNextCall) {
                return;
            }
            Thread.sleep(200);
        }
    }

    private String buyByTheMinute(String name, Map<String, Object> billing) {
        Map<String, ?> body = Map.of(
                "computeUnitCount", 1,
                "computeUnitConfig", Map.of("region", "bj", "type", "gpu-1"),
                "billing", billing);
        Map<String, String> bought = call(name, UNITS, "PurchaseComputeUnit", body, OBJECT);
        return bought == null ? "" : bought.get("instanceId");
    }

    private void purchasePrepaid() {
        Map<String, Object> months = Map.of("reservationTimeUnit", "Month", "reservationLength", 5);
        Map<String, Object> billing = Map.of("paymentTiming", "Prepaid", "reservation", months);
        Map<String, ?> body = Map.of("serviceId", SERVICE, "billing", billing, "replicasCount", 5);
        call("purchase", SERVICE_UNITS, "PurchaseComputeUnit", body, OBJECT);
    }

    private void purchasePostpaid() {
        Map<String, Object> billing = Map.of("paymentTiming", "Postpaid", "releaseTime", "2030-01-15T09:30:00+08:00");
        describe("describe", buyByTheMinute("purchase", billing));
    }

    private void releaseSchedule(String instanceId) {
        for (String[] family : new String[][] {{UNITS, "unit"}, {SERVICE_UNITS, "service"}}) {
            schedule(family, "set", instanceId, "2030-01-15 09:30:00");
            schedule(family, "move", instanceId, "2030-02-01T00:00:00+00:00");
            schedule(family, "clear", instanceId, null);
        }
    }

    private void schedule(String[] family, String step, String instanceId, String releaseTime) {
        Map<String, Object> body = new HashMap<>();
        body.put("instanceId", instanceId);
        body.put("releaseTime", releaseTime); // The client leaves a null out of the body.
        call(family[1] + "-" + step, family[0], "AutoReleaseComputeUnit", body, TRUTH);
        describe(family[1] + "-after-" + step, instanceId);
    }

    private void releaseNow() throws InterruptedException {
        String instanceId = buyByTheMinute("purchase", Map.of("paymentTiming", "Postpaid"));
        call("release", UNITS, "ReleaseComputeUnit", Map.of("instanceId", instanceId), Object.class);
        waitForUnit(instanceId, "Released");
        describe("describe", instanceId);
    }

    private void errors() {
        describe("unknown-instance", "unit-nowhere0");
        buyByTheMinute("bad-value", Map.of("paymentTiming", "Sometimes"));
        call("unknown-action", UNITS, "BorrowComputeUnit", null, OBJECT);
        console = new Console(accessKey, "0".repeat(32));
        call("wrong-secret", UNITS, "DescribeComputeUnits", null, OBJECT);
        console = new Console("AKNOBODY00000000", secretKey);
        call("wrong-access-key", UNITS, "DescribeComputeUnits", null, OBJECT);
    }

    private void describeAll() {
        Map<String, String> filter = Map.of("paymentTiming", "Postpaid", "region", "bj");
        Map<String, String> nulls = new HashMap<>();
        nulls.put("paymentTiming", null);
        nulls.put("type", null);
        call("units", UNITS, "DescribeComputeUnits", filter, OBJECT);
        call("units-without-a-body", UNITS, "DescribeComputeUnits", null, OBJECT);
        call("units-with-nulls", UNITS, "DescribeComputeUnits", nulls, OBJECT);
        call("service-units", SERVICE_UNITS, "DescribeComputeUnits", Map.of("serviceId", SERVICE), OBJECT);
        call("services", "/v2/service", "DescribeServices", Map.of("maxKeys", 10), OBJECT);
        call("service", "/v2/service", "DescribeService", Map.of("serviceId", SERVICE), OBJECT);
        call("account", "/v2/account", "DescribeAccount", null, OBJECT);
        call("orders", "/v2/account", "DescribeOrders", null, OBJECT);
        call("offerings", "/v2/catalog", "DescribeOfferings", null, OBJECT);
    }

    /** Puts what earlier steps answered in the place of their names. */
    private static Object filled(Object value, Map<String, Object> answered) {
        if (value instanceof Map<?, ?> map) {
            Map<String, Object> whole = new LinkedHashMap<>();
            map.forEach((name, inner) -> whole.put((String) name, filled(inner, answered)));
            return whole;
        }
        if (value instanceof List<?> list) {
            return list.stream().map(inner -> filled(inner, answered)).toList();
        }
        if (value instanceof String text && text.startsWith("$")) {
            Object found = answered;
            for (String name : text.substring(1).split("\\.")) {
                found = ((Map<?, ?>) found).get(name);
            }
            return found;
        }
        return value;
    }

    private void play(String file) throws IOException {
        // Whole numbers stay whole, as they are in a program of a user's own.
        Gson whole = new GsonBuilder().setObjectToNumberStrategy(ToNumberPolicy.LONG_OR_DOUBLE).create();
        Type steps = new TypeToken<List<Map<String, Object>>>() {}.getType();
        Map<String, Object> answered = new HashMap<>();
        for (Map<String, Object> step : whole.<List<Map<String, Object>>>fromJson(Files.readString(Path.of(file)), steps)) {
            String name = (String) step.get("call");
            Map<?, ?> body = (Map<?, ?>) filled(step.get("body"), answered);
            answered.put(name, call(name, (String) step.get("route"), (String) step.get("action"), body, Object.class));
        }
    }

    private void burst(int count) {
        for (int bought = 0; bought < count; bought++) {
            buyByTheMinute("purchase", Map.of("paymentTiming", "Postpaid"));
        }
    }

    private void run(String scenario, List<String> arguments) throws InterruptedException, IOException {
        switch (scenario) {
            case "purchase-prepaid" -> purchasePrepaid();
            case "purchase-postpaid" -> purchasePostpaid();
            case "release-schedule" -> releaseSchedule(arguments.isEmpty() ? "unit-xxx" : arguments.get(0));
            case "release-now" -> releaseNow();
            case "errors" -> errors();
            case "describe" -> describeAll();
            case "play" -> play(arguments.get(0));
            case "burst" -> burst(Integer.parseInt(arguments.get(0)));
            default -> refuse("name a scenario of this program");
        }
    }

    public static void main(String[] arguments) throws InterruptedException, IOException {
        stayOnThisMachine();
        List<String> rest = Arrays.asList(arguments);
        String[] names = rest.isEmpty() ? new String[] {""} : rest.get(0).split("\\+");
        for (String name : names) {
            if (names.length > 1) {
                emit(Map.of("call", "", "ok", true, "result", name));
            }
            new Program().run(name, rest.subList(Math.min(1, rest.size()), rest.size()));
        }
    }
}
