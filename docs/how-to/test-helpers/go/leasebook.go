// Package leasebooktest starts a service with a virtual clock for a test, and drives it with the command `leasebook`.
package leasebooktest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

type Map = map[string]any

type Service struct {
	URL, AccessKey, SecretKey string
	t                         *testing.T
}

func command() string {
	if named := os.Getenv("LEASEBOOK_TEST_COMMAND"); named != "" {
		return named
	}
	return "leasebook"
}

// Start serves until the test ends, and sets the variables of the official client.
func Start(t *testing.T) *Service {
	folder := t.TempDir()
	file := filepath.Join(folder, "ready.json")
	server := exec.Command(command(), "serve", "--clock", "virtual", "--port", "0", "--ready-file", file,
		"--data", filepath.Join(folder, "data"), "--faults")
	server.Env = append(os.Environ(), "LEASEBOOK_LOG_LEVEL=error", "LEASEBOOK_ENGINES=*=instant")
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Signal(os.Interrupt); _ = server.Wait() })
	service := &Service{t: t}
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(file); err == nil && json.Unmarshal(text, service) == nil {
			break
		} else if time.Now().After(until) {
			t.Fatalf("leasebook serve is not ready: %v", err)
		}
	}
	t.Setenv("QIANFAN_CONSOLE_BASE_URL", service.URL)
	t.Setenv("QIANFAN_ACCESS_KEY", service.AccessKey)
	t.Setenv("QIANFAN_SECRET_KEY", service.SecretKey)
	return service
}

// Call calls an action; the error of a refusal has its code.
func (s *Service) Call(path, action string, body Map) (Map, error) {
	text, _ := json.Marshal(body)
	out, err := exec.Command(command(), "call", "--url", s.URL, path, action, string(text)).Output()
	answer := Map{}
	if failed, refused := err.(*exec.ExitError); refused {
		return nil, fmt.Errorf("%s %s", failed.Stderr, out)
	} else if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	result, _ := answer["result"].(Map)
	return result, err
}
