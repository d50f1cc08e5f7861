package leasebooktest

import (
	"strings"
	"testing"
	"time"
)

var one = Map{
	"billing":           Map{"paymentTiming": "Postpaid"},
	"computeUnitConfig": Map{"type": "gpu-1", "region": ""},
	"computeUnitCount":  1,
}

func TestAUnitRunsForEightHours(t *testing.T) {
	service := Start(t)
	do := func(path, action string, body Map) Map {
		t.Helper()
		result, err := service.Call(path, action, body)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	do("/v2/catalog", "SetOffering", Map{"region": "bj", "type": "gpu-1", "stockTotal": 1, "pricePerMinute": "0.2"})
	do("/v2/account", "TopUpAccount", Map{"amount": "1000"})
	do("/v2/faults", "SetFaults", Map{"faults": []Map{{"kind": "InsufficientStock", "count": 1}}})
	if _, err := service.Call("/v2/computeunit", "PurchaseComputeUnit", one); err == nil ||
		!strings.Contains(err.Error(), "InsufficientStock") {
		t.Fatal("the fault did not happen:", err)
	}
	unit := do("/v2/computeunit", "PurchaseComputeUnit", one)["instanceId"]
	now, err := time.Parse(time.RFC3339, do("/v2/clock", "DescribeClock", Map{})["now"].(string))
	if err != nil {
		t.Fatal(err)
	}
	do("/v2/clock", "AdvanceClock", Map{"to": now.Add(8 * time.Hour).Format(time.RFC3339)})
	if _, err := service.Call("/v2/computeunit", "ReleaseComputeUnit", Map{"instanceId": unit}); err != nil {
		t.Fatal(err)
	}
	if balance := do("/v2/account", "DescribeAccount", Map{})["balance"]; balance != "904.00" {
		t.Fatal("the balance is", balance)
	}
}
