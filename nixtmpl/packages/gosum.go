package packages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"
)

// checkGoZip asks the go command to check a toolchain's zip against Go's
// checksum database, which it does for toolchains whatever GOSUMDB says. The
// zip is offered to it as the first proxy; the database is asked through the
// machine's own.
func checkGoZip(ctx context.Context, p goPin, zip, proxy, scratch string) error {
	exe, err := exec.LookPath("go")
	if err != nil {
		return &AddressError{What: "Go's checksum database", Client: "go"}
	}
	version := strings.TrimSuffix(p.File, ".zip")
	version = "v0.0.1-" + version
	at := filepath.Join(scratch, "proxy", filepath.FromSlash(goModule), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return fmt.Errorf("check %s: %w", p.File, diskError(scratch, err))
	}
	info, err := json.Marshal(map[string]string{"Version": version})
	if err != nil {
		return fmt.Errorf("check %s: %w", p.File, err)
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(at, version+".info"), info, 0o644),
		os.WriteFile(filepath.Join(at, version+".mod"), []byte("module "+goModule+"\n"), 0o644),
		os.Link(zip, filepath.Join(at, version+".zip")))
	if err != nil {
		return fmt.Errorf("check %s: %w", p.File, diskError(scratch, err))
	}
	cmd := exec.CommandContext(ctx, exe, "mod", "download", "-json", goModule+"@"+version)
	cmd.Dir = scratch
	local := url.URL{Scheme: "file", Path: filepath.Join(scratch, "proxy")}
	cmd.Env = append(os.Environ(), "GOPROXY="+local.String()+","+proxy, "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw", "GOWORK=off", "GO111MODULE=on",
		"GOMODCACHE="+filepath.Join(scratch, "mod"), "GOCACHE="+filepath.Join(scratch, "cache"), "GONOSUMDB=", "GONOSUMCHECK=", "GOPRIVATE=", "GONOPROXY=")
	out, err := cmd.Output()
	var answer struct{ Error, Sum string }
	if jsonErr := json.Unmarshal(out, &answer); jsonErr != nil || answer.Error != "" || err != nil {
		return &SignatureError{What: p.File, Err: fmt.Errorf("the go command could not check it: %s", firstNonEmpty(answer.Error, stderrOf(err)))}
	}
	sum, err := dirhash.HashZip(zip, dirhash.Hash1)
	if err != nil {
		return fmt.Errorf("check %s: %w", p.File, err)
	}
	if sum != answer.Sum {
		return &SignatureError{What: p.File, Err: errors.New("it is not the file that Go's checksum database knows")}
	}
	return nil
}

func stderrOf(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return strings.TrimSpace(string(exit.Stderr))
	}
	if err != nil {
		return err.Error()
	}
	return "it gave no answer"
}

func firstNonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
