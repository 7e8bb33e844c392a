package sshd

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"
)

func TestLoadHostKey_MakesOneOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "host_key")
	prints := make([]string, 16)
	var wg sync.WaitGroup
	for i := range prints {
		wg.Go(func() {
			key, err := LoadHostKey(path)
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = gossh.FingerprintSHA256(key.PublicKey())
		})
	}
	wg.Wait()
	for _, p := range prints {
		if p == "" || p != prints[0] {
			t.Fatalf("different keys: %q", prints)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left beside it: %v", entries)
	}
	out, err := exec.Command("ssh-keygen", "-l", "-f", path).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(prints[0])) || !bytes.Contains(out, []byte("ED25519")) {
		t.Errorf("ssh-keygen says %q, %v", out, err)
	}
}

func TestLoadHostKey_RefusesWhatIsNotSafe(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := LoadHostKey(good); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	keygen := func(path string, args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", append(args, "-q", "-f", path)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	}
	for name, tc := range map[string]struct {
		make   func(path string)
		reason string
	}{
		"group may read":  {func(p string) { writeFile(t, p, data); chmod(t, p, 0o640) }, "others may read or write it (mode 0640)"},
		"world may read":  {func(p string) { writeFile(t, p, data); chmod(t, p, 0o604) }, "others may read or write it (mode 0604)"},
		"group may write": {func(p string) { writeFile(t, p, data); chmod(t, p, 0o620) }, "others may read or write it (mode 0620)"},
		"empty":           {func(p string) { writeFile(t, p, nil) }, "no usable private key"},
		"cut off":         {func(p string) { writeFile(t, p, data[:len(data)/2]) }, "no usable private key"},
		"public key":      {func(p string) { writeFile(t, p, []byte("ssh-ed25519 AAAA x\n")) }, "no usable private key"},
		"huge":            {func(p string) { writeFile(t, p, bytes.Repeat(data, 1000)) }, "not a key file"},
		"directory":       {func(p string) { _ = os.Mkdir(p, 0o700) }, "not a key file"},
		"passphrase":      {func(p string) { keygen(p, "-t", "ed25519", "-N", "secret") }, "no usable private key"},
		"rsa":             {func(p string) { keygen(p, "-t", "rsa", "-N", "") }, "of type ssh-rsa, not ed25519"},
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		tc.make(path)
		before, _ := os.ReadFile(path)
		_, err := LoadHostKey(path)
		var he *HostKeyError
		if !errors.As(err, &he) || !strings.Contains(err.Error(), tc.reason) || he.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed", name)
		}
	}
	if os.Geteuid() == 0 { // else there is nobody else to give it to
		if err := os.Chown(good, 12345, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadHostKey(good); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
			t.Errorf("another's file: %v", err)
		}
	}
	if _, err := LoadHostKey(filepath.Join(dir, "missing", "key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such directory: %v", err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}
