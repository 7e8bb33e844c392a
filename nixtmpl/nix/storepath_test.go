package nix

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"os/exec"
	"strings"
	"testing"
)

func TestFixedPath_AgreesWithNix(t *testing.T) {
	text := []byte("hop3")
	s256, s512, s1, m5 := sha256.Sum256(text), sha512.Sum512(text), sha1.Sum(text), md5.Sum(text)
	sums := map[string][]byte{"sha256": s256[:], "sha512": s512[:], "sha1": s1[:], "md5": m5[:]}
	for algo, sum := range sums {
		for _, recursive := range []bool{false, true} {
			for _, name := range []string{"file", "libssl3_3.0.17-1_amd64.deb", "a=b?c+d", strings.Repeat("n", 200)} {
				args := []string{"--print-fixed-path"}
				if recursive {
					args = append(args, "--recursive")
				}
				out, err := exec.Command("nix-store", append(args, algo, hex.EncodeToString(sum), name)...).Output()
				if err != nil {
					t.Fatalf("nix-store %v: %v", args, err)
				}
				if got, want := FixedPath(name, algo, hex.EncodeToString(sum), recursive), strings.TrimSpace(string(out)); got != want {
					t.Errorf("%s %s recursive=%v: %q, want %q", name, algo, recursive, got, want)
				}
			}
		}
	}
}

func TestFixedPath_RefusesWhatNixWould(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	for _, c := range [][3]string{
		{"", "sha256", sum}, {".hidden", "sha256", sum}, {"a/b", "sha256", sum}, {"a~b", "sha256", sum}, {"a:b", "sha256", sum},
		{strings.Repeat("n", 212), "sha256", sum}, {"a", "sha257", sum}, {"a", "sha256", sum[2:]}, {"a", "sha256", "xyz"}, {"a", "", ""},
	} {
		if got := FixedPath(c[0], c[1], c[2], false); got != "" {
			t.Errorf("FixedPath(%q): %q", c, got)
		}
	}
}

func TestParseHash_AllForms(t *testing.T) {
	sum := sha256.Sum256(nil)
	for _, s := range []string{
		"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73",
		"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
	} {
		algo, got, err := ParseHash(s)
		if err != nil || algo != "sha256" || !bytes.Equal(got, sum[:]) {
			t.Errorf("ParseHash(%q): %s %x, %v", s, algo, got, err)
		}
	}
	if got := SRI("sha256", sum[:]); got != "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
		t.Errorf("SRI: %s", got)
	}
	for _, s := range []string{"", "sha256-", "sha256:", "sha256-AAAA", "md9-AAAA", "sha256:" + strings.Repeat("e", 52)} {
		if _, _, err := ParseHash(s); err == nil {
			t.Errorf("ParseHash(%q): no error", s)
		}
	}
}

// Whatever is encoded decodes to itself; whatever decodes encodes to itself.
func FuzzBase32(f *testing.F) {
	f.Add([]byte("hop3"), "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73")
	f.Add([]byte{0xff}, "7z")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, sum []byte, text string) {
		if len(sum) > 0 {
			got, err := DecodeBase32(EncodeBase32(sum), len(sum))
			if err != nil || !bytes.Equal(got, sum) {
				t.Errorf("%x became %x, %v", sum, got, err)
			}
		}
		size := len(text) * 5 / 8
		if got, err := DecodeBase32(text, size); err == nil && EncodeBase32(got) != text {
			t.Errorf("%q became %q", text, EncodeBase32(got))
		}
		_, _, _ = ParseHash(text) // must not panic
	})
}
