import com.baidubce.qianfan.core.QianfanConfig;
import com.baidubce.qianfan.core.auth.IAMAuth;
import com.baidubce.qianfan.model.ApiErrorResponse;
import com.baidubce.qianfan.model.exception.ApiException;
import com.baidubce.qianfan.model.exception.RequestException;
import com.baidubce.qianfan.util.Json;
import com.baidubce.qianfan.util.http.HttpClient;
import com.baidubce.qianfan.util.http.HttpRequest;
import com.baidubce.qianfan.util.http.HttpResponse;
import com.google.gson.annotations.SerializedName;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.Map;

/**
 * One call put together from the client's own address, signer, transport and JSON.
 *
 * <p>The release has no console builder yet. What the builder of later releases asks of an answer is asked here too:
 * a body of the expected type, the status 200 and no error_msg.
 */
final class Console {
    record Answer<T>(@SerializedName("requestId") String requestId, T result) {}

    private final IAMAuth keys;

    Console(String accessKey, String secretKey) {
        keys = new IAMAuth(accessKey, secretKey);
    }

    <T> Answer<T> call(String route, String action, Object body, Type as) {
        String url = QianfanConfig.getConsoleApiBaseUrl() + route + "?Action=" + action;
        HttpRequest request = HttpClient.request().post(url).body(body == null ? Map.of() : body);
        Type envelope = TypeToken.getParameterized(Answer.class, as).getType();
        try {
            HttpResponse<Answer<T>> response = keys.signRequest(request).executeJson(envelope);
            if (response.getCode() != 200) {
                throw new RequestException("status " + response.getCode() + ": " + response.getStringBody());
            }
            ApiErrorResponse problem = Json.deserialize(response.getStringBody(), ApiErrorResponse.class);
            if (problem.getErrorMsg() != null && !problem.getErrorMsg().isEmpty()) {
                throw new ApiException("the answer carries an error", problem);
            }
            return response.getBody();
        } catch (IOException unreachable) {
            throw new RequestException("no answer: " + unreachable.getMessage(), unreachable);
        }
    }
}
