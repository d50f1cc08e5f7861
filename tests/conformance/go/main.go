// Calls a compute-unit server with the official Go client: one scenario, or several by names joined with "+".
//
// Every call becomes one line of JSON on standard output. The client is used as its module ships it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/baidubce/bce-qianfan-sdk/go/qianfan"
)

const (
	// This client reads another variable than the three others do.
	baseURL      = "QIANFAN_CONSOLE_BASE_URL"
	service      = "svco-48esssdpa594"
	units        = "/v2/computeunit"
	serviceUnits = "/v2/serviceresources"
)

type body = map[string]interface{}

// The client turns an unreachable server and an unreadable answer into an empty success.
var errEmptyAnswer = errors.New("the client gave back an empty answer without an error")

func refuse(reason string) {
	fmt.Fprintln(os.Stderr, "refused to start:", reason)
	os.Exit(2)
}

func isLoopback(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := parsed.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// The client's default is a real cloud, so nothing starts without an address of this machine.
func stayOnThisMachine() {
	if !isLoopback(os.Getenv(baseURL)) {
		refuse(baseURL + " must name a loopback host")
	}
	if _, err := os.Stat(".env"); err == nil {
		refuse("a .env file here could send the client elsewhere")
	}
	// With these two set the client asks another server for a token before anything else.
	for _, name := range []string{"QIANFAN_AK", "QIANFAN_SK", "QIANFAN_ACCESS_TOKEN"} {
		os.Unsetenv(name)
	}
	for _, setting := range os.Environ() {
		name, _, _ := strings.Cut(setting, "=")
		if strings.HasSuffix(strings.ToLower(name), "_proxy") {
			os.Unsetenv(name)
		}
	}
	if qianfan.GetConfig().ConsoleBaseURL != os.Getenv(baseURL) {
		refuse("the client did not take the address it was given")
	}
}

type line struct {
	Call      string          `json:"call"`
	OK        bool            `json:"ok"`
	Result    json.RawMessage `json:"result"`
	RequestID string          `json:"requestId,omitempty"`
	Error     *string         `json:"error"`
	Kind      *string         `json:"kind"`
}

func emit(l line) {
	if err := json.NewEncoder(os.Stdout).Encode(l); err != nil {
		panic(err)
	}
}

type envelope struct {
	RequestID string          `json:"requestId"`
	Result    json.RawMessage `json:"result"`
}

func ask(route, action string, params body) (envelope, error) {
	var answer envelope
	res, err := qianfan.NewConsoleAction().Call(context.Background(), route, action, params)
	if err != nil {
		return answer, err
	}
	if len(res.Body) == 0 {
		return answer, errEmptyAnswer
	}
	return answer, json.Unmarshal(res.Body, &answer)
}

// Runs one call, writes its line, and gives back its result, or nil after an error.
func call(name, route, action string, params body) json.RawMessage {
	answer, err := ask(route, action, params)
	if err != nil {
		text, kind := err.Error(), strings.TrimPrefix(fmt.Sprintf("%T", err), "*qianfan.")
		emit(line{Call: name, Error: &text, Kind: &kind})
		return nil
	}
	emit(line{Call: name, OK: true, Result: answer.Result, RequestID: answer.RequestID})
	return answer.Result
}

func describe(name, instanceID string) {
	call(name, units, "DescribeComputeUnit", body{"instanceId": instanceID})
}

// Asks without a line of output until the unit is in the wanted status, at most 20 seconds.
func waitForUnit(instanceID, wanted string) {
	for tries := 0; tries < 100; tries++ {
		answer, err := ask(units, "DescribeComputeUnit", body{"instanceId": instanceID})
		if err != nil {
			return // The reported call that follows will show it.
		}
		var seen struct {
			Unit struct {
				Status string `json:"status"`
			} `json:"computeUnitInstance"`
		}
		if json.Unmarshal(answer.Result, &seen) == nil && seen.Unit.Status == wanted {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func buyByTheMinute(name string, billing body) string {
	result := call(name, units, "PurchaseComputeUnit", body{
		"computeUnitCount":  1,
		"computeUnitConfig": body{"region": "bj", "type": "gpu-1"},
		"billing":           billing,
	})
	var bought struct {
		InstanceID string `json:"instanceId"`
	}
	if result != nil {
		_ = json.Unmarshal(result, &bought)
	}
	return bought.InstanceID
}

func purchasePrepaid() {
	months := body{"reservationTimeUnit": "Month", "reservationLength": 5}
	billing := body{"paymentTiming": "Prepaid", "reservation": months}
	call("purchase", serviceUnits, "PurchaseComputeUnit", body{"serviceId": service, "billing": billing, "replicasCount": 5})
}

func purchasePostpaid() {
	instanceID := buyByTheMinute("purchase", body{"paymentTiming": "Postpaid", "releaseTime": "2030-01-15T09:30:00+08:00"})
	describe("describe", instanceID)
}

func releaseSchedule(instanceID string) {
	for _, family := range []struct{ path, prefix string }{{units, "unit"}, {serviceUnits, "service"}} {
		schedule := func(step string, params body) {
			params["instanceId"] = instanceID
			call(family.prefix+"-"+step, family.path, "AutoReleaseComputeUnit", params)
			describe(family.prefix+"-after-"+step, instanceID)
		}
		schedule("set", body{"releaseTime": "2030-01-15 09:30:00"})
		schedule("move", body{"releaseTime": "2030-02-01T00:00:00+00:00"})
		schedule("clear", body{})
	}
}

func releaseNow() {
	instanceID := buyByTheMinute("purchase", body{"paymentTiming": "Postpaid"})
	call("release", units, "ReleaseComputeUnit", body{"instanceId": instanceID})
	waitForUnit(instanceID, "Released")
	describe("describe", instanceID)
}

func errorCases() {
	describe("unknown-instance", "unit-nowhere0")
	buyByTheMinute("bad-value", body{"paymentTiming": "Sometimes"})
	call("unknown-action", units, "BorrowComputeUnit", nil)
	secretKey := qianfan.GetConfig().SecretKey
	qianfan.GetConfig().SecretKey = strings.Repeat("0", 32)
	call("wrong-secret", units, "DescribeComputeUnits", nil)
	qianfan.GetConfig().SecretKey = secretKey
	qianfan.GetConfig().AccessKey = "AKNOBODY00000000"
	call("wrong-access-key", units, "DescribeComputeUnits", nil)
}

func describeAll() {
	call("units", units, "DescribeComputeUnits", body{"paymentTiming": "Postpaid", "region": "bj"})
	call("units-without-a-body", units, "DescribeComputeUnits", nil)
	call("units-with-nulls", units, "DescribeComputeUnits", body{"paymentTiming": nil, "type": nil})
	call("service-units", serviceUnits, "DescribeComputeUnits", body{"serviceId": service})
	call("services", "/v2/service", "DescribeServices", body{"maxKeys": 10})
	call("service", "/v2/service", "DescribeService", body{"serviceId": service})
	call("account", "/v2/account", "DescribeAccount", nil)
	call("orders", "/v2/account", "DescribeOrders", nil)
	call("offerings", "/v2/catalog", "DescribeOfferings", nil)
}

// Puts what earlier steps answered in the place of their names.
func filled(value interface{}, answered body) interface{} {
	switch known := value.(type) {
	case body:
		whole := body{}
		for name, inner := range known {
			whole[name] = filled(inner, answered)
		}
		return whole
	case []interface{}:
		whole := make([]interface{}, len(known))
		for place, inner := range known {
			whole[place] = filled(inner, answered)
		}
		return whole
	case string:
		if !strings.HasPrefix(known, "$") {
			return known
		}
		var found interface{} = answered
		for _, name := range strings.Split(known[1:], ".") {
			found = found.(body)[name]
		}
		return found
	}
	return value
}

func play(file string) {
	var steps []struct {
		Call, Route, Action string
		Body                body
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &steps)
	}
	if err != nil {
		refuse("play takes a file with steps: " + err.Error())
	}
	answered := body{}
	for _, step := range steps {
		params, _ := filled(step.Body, answered).(body)
		var result interface{}
		if raw := call(step.Call, step.Route, step.Action, params); raw != nil {
			_ = json.Unmarshal(raw, &result)
		}
		answered[step.Call] = result
	}
}

func burst(count string) {
	wanted, err := strconv.Atoi(count)
	if err != nil {
		refuse("burst takes a number")
	}
	for bought := 0; bought < wanted; bought++ {
		buyByTheMinute("purchase", body{"paymentTiming": "Postpaid"})
	}
}

func main() {
	stayOnThisMachine()
	argument := func(position int, fallback string) string {
		if len(os.Args) > position {
			return os.Args[position]
		}
		return fallback
	}
	scenarios := map[string]func(){
		"purchase-prepaid":  purchasePrepaid,
		"purchase-postpaid": purchasePostpaid,
		"release-schedule":  func() { releaseSchedule(argument(2, "unit-xxx")) },
		"release-now":       releaseNow,
		"errors":            errorCases,
		"describe":          describeAll,
		"play":              func() { play(argument(2, "")) },
		"burst":             func() { burst(argument(2, "1")) },
	}
	names := strings.Split(argument(1, ""), "+")
	for _, name := range names {
		if scenarios[name] == nil {
			refuse("name a scenario of this program")
		}
	}
	for _, name := range names {
		if len(names) > 1 {
			emit(line{OK: true, Result: json.RawMessage(strconv.Quote(name))})
		}
		scenarios[name]()
	}
}
