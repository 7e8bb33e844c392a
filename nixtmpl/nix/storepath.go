package nix

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// base32Digits is nix's alphabet: without e, o, t and u.
const base32Digits = "0123456789abcdfghijklmnpqrsvwxyz"

// hashSizes are the algorithms that a store path may be made from, in bytes.
var hashSizes = map[string]int{"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}

var legalName = regexp.MustCompile(`^[0-9A-Za-z+_?=-][0-9A-Za-z+._?=-]{0,210}$`)

// FixedPath is the store path that a file has under a fixed hash: what
// `nix-store --print-fixed-path` prints, computed without nix. hashHex is the
// hash in base 16, of the file itself or, when recursive, of its archive. It is
// "" where the name, the algorithm or the hash is not legal.
func FixedPath(name, algo, hashHex string, recursive bool) string {
	sum, err := hex.DecodeString(hashHex)
	if err != nil || len(sum) == 0 || len(sum) != hashSizes[algo] || !LegalName(name) {
		return ""
	}
	hashHex = strings.ToLower(hashHex)
	if recursive && algo == "sha256" {
		return storePath("source", hashHex, name)
	}
	mode := ""
	if recursive {
		mode = "r:"
	}
	inner := sha256.Sum256([]byte("fixed:out:" + mode + algo + ":" + hashHex + ":"))
	return storePath("output:out", hex.EncodeToString(inner[:]), name)
}

// LegalName says whether name may follow the hash in a store path, in all
// versions of nix.
func LegalName(name string) bool { return legalName.MatchString(name) }

// storePath is nix's makeStorePath: a fingerprint, hashed and folded to 160 bits.
func storePath(kind, sha256Hex, name string) string {
	sum := sha256.Sum256([]byte(kind + ":sha256:" + sha256Hex + ":" + StoreDir + ":" + name))
	var folded [20]byte
	for i, b := range sum {
		folded[i%len(folded)] ^= b
	}
	return StoreDir + "/" + EncodeBase32(folded[:]) + "-" + name
}

// EncodeBase32 writes a hash as nix does: least significant digit last.
func EncodeBase32(sum []byte) string {
	if len(sum) == 0 {
		return ""
	}
	out := make([]byte, 0, base32Len(len(sum)))
	for n := base32Len(len(sum)) - 1; n >= 0; n-- {
		i, off := n*5/8, uint(n*5%8)
		c := sum[i] >> off
		if i+1 < len(sum) {
			c |= sum[i+1] << (8 - off)
		}
		out = append(out, base32Digits[c&0x1f])
	}
	return string(out)
}

// DecodeBase32 is the inverse of EncodeBase32 for a hash of size bytes.
func DecodeBase32(s string, size int) ([]byte, error) {
	if size <= 0 || len(s) != base32Len(size) {
		return nil, fmt.Errorf("decode base32: %d digits are no hash of %d bytes", len(s), size)
	}
	out := make([]byte, size)
	for n := range len(s) {
		digit := strings.IndexByte(base32Digits, s[len(s)-n-1])
		if digit < 0 {
			return nil, fmt.Errorf("decode base32: %q is not a digit", s[len(s)-n-1])
		}
		i, off := n*5/8, uint(n*5%8)
		out[i] |= byte(digit << off)
		carry := byte(digit >> (8 - off))
		if i+1 < size {
			out[i+1] |= carry
		} else if carry != 0 {
			return nil, errors.New("decode base32: the first digit is too great")
		}
	}
	return out, nil
}

func base32Len(size int) int { return (size*8-1)/5 + 1 }

// ParseHash reads a hash as nix writes it: "sha256-BASE64" (SRI), or
// "sha256:" before base 16, base 32 or base 64.
func ParseHash(s string) (algo string, sum []byte, err error) {
	algo, rest, sri := strings.Cut(s, "-")
	if _, known := hashSizes[algo]; !sri || !known {
		algo, rest, _ = strings.Cut(s, ":")
		sri = false
	}
	size := hashSizes[algo]
	if size == 0 {
		return "", nil, fmt.Errorf("parse hash: no known algorithm in %q", clip(s, 100))
	}
	switch {
	case !sri && len(rest) == size*2:
		sum, err = hex.DecodeString(rest)
	case !sri && len(rest) == base32Len(size):
		sum, err = DecodeBase32(rest, size)
	default:
		sum, err = base64.StdEncoding.DecodeString(rest)
	}
	if err == nil && len(sum) != size {
		err = fmt.Errorf("%d bytes instead of %d", len(sum), size)
	}
	if err != nil {
		return "", nil, fmt.Errorf("parse hash: %s: %w", algo, err)
	}
	return algo, sum, nil
}

// SRI writes a hash as nix and npm do, "sha256-BASE64".
func SRI(algo string, sum []byte) string {
	return algo + "-" + base64.StdEncoding.EncodeToString(sum)
}

// checkPaths refuses what is not a path directly in the store, before it
// becomes an argument.
func checkPaths(paths []string) error {
	for _, p := range paths {
		hash, name, _ := strings.Cut(path.Base(p), "-")
		_, err := DecodeBase32(hash, 20)
		if path.Dir(p) != StoreDir || err != nil || !LegalName(name) {
			return fmt.Errorf("%q is not a store path", clip(p, 200))
		}
	}
	return nil
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
