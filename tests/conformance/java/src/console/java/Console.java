import com.baidubce.qianfan.Qianfan;
import com.baidubce.qianfan.model.console.ConsoleResponse;
import java.lang.reflect.Type;

/** One call through the client's own console builder. */
final class Console {
    record Answer<T>(String requestId, T result) {}

    private final Qianfan qianfan;

    Console(String accessKey, String secretKey) {
        qianfan = new Qianfan(accessKey, secretKey);
    }

    <T> Answer<T> call(String route, String action, Object body, Type as) {
        ConsoleResponse<T> response = qianfan.console().route(route).action(action).body(body).execute(as);
        return new Answer<>(response.getRequestId(), response.getResult());
    }
}
