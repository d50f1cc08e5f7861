import java.time.OffsetDateTime;
import java.time.format.DateTimeFormatter;

/** A test without a framework; JUnit's have the same body. */
public final class ReleaseTest {
    static final String UNITS = "/v2/computeunit";
    static final String ONE = "{\"billing\": {\"paymentTiming\": \"Postpaid\"}, \"computeUnitCount\": 1, "
        + "\"computeUnitConfig\": {\"type\": \"gpu-1\", \"region\": \"\"}}";

    public static void main(String[] arguments) throws Exception {
        try (Leasebook service = new Leasebook()) {
            service.call("/v2/catalog", "SetOffering",
                "{\"region\": \"bj\", \"type\": \"gpu-1\", \"stockTotal\": 1, \"pricePerMinute\": \"0.2\"}");
            service.call("/v2/account", "TopUpAccount", "{\"amount\": \"1000\"}");
            service.call("/v2/faults", "SetFaults", "{\"faults\": [{\"kind\": \"InsufficientStock\", \"count\": 1}]}");
            try {
                service.call(UNITS, "PurchaseComputeUnit", ONE);
                throw new AssertionError("the fault did not happen");
            } catch (IllegalStateException refused) {
                expect(refused.getMessage().contains("InsufficientStock"), refused.getMessage());
            }
            String unit = Leasebook.text(service.call(UNITS, "PurchaseComputeUnit", ONE), "instanceId");
            String now = Leasebook.text(service.call("/v2/clock", "DescribeClock", "{}"), "now");
            String later = OffsetDateTime.parse(now).plusHours(8).format(DateTimeFormatter.ISO_OFFSET_DATE_TIME);
            service.call("/v2/clock", "AdvanceClock", "{\"to\": \"" + later + "\"}");
            service.call(UNITS, "ReleaseComputeUnit", "{\"instanceId\": \"" + unit + "\"}");
            String balance = Leasebook.text(service.call("/v2/account", "DescribeAccount", "{}"), "balance");
            expect("904.00".equals(balance), "the balance is " + balance);
        }
    }

    static void expect(boolean isSo, String otherwise) {
        if (!isSo) {
            throw new AssertionError(otherwise);
        }
    }
}
