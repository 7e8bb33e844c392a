package packages

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func newKey(t testing.TB) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity("archive of a test", "", "test@example.org", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return time.Now().Add(-time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func clearSign(t testing.TB, key *openpgp.Entity, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := clearsign.Encode(&buf, key.PrivateKey, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(buf.Bytes(), '\n')
}

func TestVerifyRelease(t *testing.T) {
	key, other := newKey(t), newKey(t)
	keys := openpgp.EntityList{key}
	text := "Codename: trixie\nDate: Sat, 21 Nov 2026 09:15:44 UTC\nValid-Until: Sat, 28 Nov 2099 09:15:44 UTC\nAcquire-By-Hash: yes\nSHA256:\n " +
		strings.Repeat("a", 64) + " 12 main/binary-amd64/Packages.xz\n"
	good := clearSign(t, key, text)
	rel, err := verifyRelease(good, keys, time.Now())
	if err != nil || rel.Codename != "trixie" || !rel.ByHash || rel.Files["main/binary-amd64/Packages.xz"].Size != 12 {
		t.Fatalf("got %+v, %v", rel, err)
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"unsigned":      {[]byte(text), "not signed"},
		"unknown key":   {clearSign(t, other, text), "check signature"},
		"changed":       {bytes.Replace(good, []byte(" 12 "), []byte(" 13 "), 1), "check signature"},
		"text before":   {append([]byte("Codename: sid\n"), good...), "outside"},
		"text behind":   {append(bytes.Clone(good), "Codename: sid\n"...), "outside"},
		"expired":       {clearSign(t, key, strings.Replace(text, "2099", "2001", 1)), "valid until"},
		"no hashes":     {clearSign(t, key, strings.Replace(text, "SHA256", "MD5Sum", 1)), "no SHA256"},
		"no date":       {clearSign(t, key, strings.Replace(text, "Date", "Data", 1)), "date"},
		"bad path":      {clearSign(t, key, strings.Replace(text, "main/", "../", 1)), "bad line"},
		"no file":       {nil, "not signed"},
		"two documents": {append(bytes.Clone(good), good...), "outside"},
	} {
		if _, err := verifyRelease(c.file, keys, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add([]byte("Codename: x\nDate: Sat, 21 Nov 2026 09:15:44 UTC\nSHA256:\n " + strings.Repeat("0", 64) + " 1 a/b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rel, _, err := parseRelease(b)
		if err != nil {
			return
		}
		for name, file := range rel.Files {
			if file.Size < 0 || !isSHA256(file.SHA256) || strings.HasPrefix(name, "/") || strings.HasPrefix(name, "../") {
				t.Fatalf("accepted %q %+v", name, file)
			}
		}
	})
}

func FuzzVerifyRelease(f *testing.F) {
	key := newKey(f)
	f.Add(clearSign(f, newKey(f), "Codename: x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := verifyRelease(b, openpgp.EntityList{key}, time.Now()); err == nil {
			t.Fatal("accepted what nobody signed")
		}
	})
}
