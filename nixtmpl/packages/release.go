package packages

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// release is the verified content of one InRelease file.
type release struct {
	Codename string
	Date     time.Time
	ByHash   bool // indices may be fetched under their hash
	Files    map[string]releaseFile
}

type releaseFile struct {
	SHA256 string
	Size   int64
}

// readKeyring reads a binary or armored OpenPGP keyring.
func readKeyring(file string) (openpgp.EntityList, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, &SignatureError{What: "keyring " + file, Err: err}
	}
	keys, err := openpgp.ReadKeyRing(bytes.NewReader(b))
	if err != nil {
		keys, err = openpgp.ReadArmoredKeyRing(bytes.NewReader(b))
	}
	if err != nil {
		return nil, &SignatureError{What: "keyring " + file, Err: err}
	}
	return keys, nil
}

// verifyRelease checks a clear-signed Release file (InRelease) against keys and
// returns what was signed, and nothing else: text outside the signed block is
// refused.
func verifyRelease(b []byte, keys openpgp.EntityList, now time.Time) (*release, error) {
	block, rest := clearsign.Decode(b)
	if block == nil {
		return nil, errors.New("it is not signed")
	}
	if !bytes.HasPrefix(b, []byte("-----BEGIN PGP SIGNED MESSAGE-----")) || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("it has text outside the signed part")
	}
	cfg := &packet.Config{Time: func() time.Time { return now }}
	if _, err := block.VerifySignature(keys, cfg); err != nil {
		return nil, fmt.Errorf("check signature: %w", err)
	}
	rel, until, err := parseRelease(block.Plaintext)
	if err != nil {
		return nil, err
	}
	if !until.IsZero() && now.After(until) {
		return nil, fmt.Errorf("it was valid until %s", until.Format(time.DateOnly))
	}
	return rel, nil
}

// parseRelease reads a Release file; until is zero if it never expires.
func parseRelease(b []byte) (rel *release, until time.Time, err error) {
	var fields map[string]string
	err = readParagraphs(bytes.NewReader(b), nil, func(f map[string]string) error {
		if fields != nil {
			return errors.New("read release: more than one paragraph")
		}
		fields = f
		return nil
	})
	if err != nil {
		return nil, until, err
	}
	rel = &release{Codename: fields["Codename"], ByHash: fields["Acquire-By-Hash"] == "yes", Files: map[string]releaseFile{}}
	if rel.Date, err = parseDate(fields["Date"]); err != nil {
		return nil, until, fmt.Errorf("read release date: %w", err)
	}
	if v := fields["Valid-Until"]; v != "" {
		if until, err = parseDate(v); err != nil {
			return nil, until, fmt.Errorf("read release expiry: %w", err)
		}
	}
	for line := range strings.SplitSeq(fields["SHA256"], "\n") {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		file, err := parseReleaseFile(f)
		if err != nil {
			return nil, until, err
		}
		rel.Files[f[2]] = file
	}
	if len(rel.Files) == 0 {
		return nil, until, errors.New("read release: it lists no SHA256")
	}
	return rel, until, nil
}

func parseReleaseFile(f []string) (releaseFile, error) {
	if len(f) != 3 {
		return releaseFile{}, fmt.Errorf("read release: bad line %q", strings.Join(f, " "))
	}
	size, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || size < 0 || !isSHA256(f[0]) || path.Clean(f[2]) != f[2] || path.IsAbs(f[2]) || strings.HasPrefix(f[2], "../") {
		return releaseFile{}, fmt.Errorf("read release: bad line %q", strings.Join(f, " "))
	}
	return releaseFile{SHA256: f[0], Size: size}, nil
}

func parseDate(s string) (time.Time, error) {
	return time.Parse("Mon, _2 Jan 2006 15:04:05 MST", s)
}

func isSHA256(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && strings.ToLower(s) == s
}
