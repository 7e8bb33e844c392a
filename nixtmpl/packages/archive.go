package packages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ulikunitz/xz"
)

const debArch = "amd64"

// suite is one signed suite of a mirror.
type suite struct {
	archive string // key of config.json
	base    string // address of the mirror, with a slash at its end
	name    string // "trixie-updates"

	optional bool // the mirror may lack it
	apart    bool // it is of another release: never mixed with the others
}

// archives reads signed indices of a Debian mirror.
type archives struct {
	web  *web
	keys openpgp.EntityList
	now  time.Time
}

// release fetches and verifies a suite's InRelease.
func (a *archives) release(ctx context.Context, s suite) (*release, error) {
	addr := s.base + "dists/" + s.name + "/InRelease"
	b, err := a.web.get(ctx, addr, nil)
	if errors.Is(err, errGone) {
		return nil, &NetworkError{URL: redact(addr), Err: err}
	} else if err != nil {
		return nil, err
	}
	rel, err := verifyRelease(b, a.keys, a.now)
	if err != nil {
		return nil, &SignatureError{What: redact(addr), Err: err}
	}
	if rel.Codename != s.name {
		return nil, &SignatureError{What: redact(addr), Err: fmt.Errorf("it is signed for %q", rel.Codename)}
	}
	return rel, nil
}

// packages fetches the index of a suite's main packages, checks it against the
// release and adds it to x.
func (a *archives) packages(ctx context.Context, s suite, rel *release, x *index) error {
	const name = "main/binary-" + debArch + "/Packages.xz"
	want, ok := rel.Files[name]
	dir := s.base + "dists/" + s.name + "/"
	if !ok {
		return &SignatureError{What: redact(dir + "InRelease"), Err: errors.New("it does not list " + name)}
	}
	var b []byte
	err := errGone
	if rel.ByHash {
		b, err = a.web.get(ctx, dir+path.Dir(name)+"/by-hash/SHA256/"+want.SHA256, nil)
	}
	if errors.Is(err, errGone) {
		b, err = a.web.get(ctx, dir+name, nil)
	}
	if errors.Is(err, errGone) {
		return &NetworkError{URL: redact(dir + name), Err: err}
	} else if err != nil {
		return err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want.SHA256 || int64(len(b)) != want.Size {
		return &SignatureError{What: redact(dir + name), Err: errors.New("it is not the file that the signed release lists (the mirror may be in the middle of an update)")}
	}
	plain := int64(maxPlainIndex)
	if f, ok := rel.Files["main/binary-"+debArch+"/Packages"]; ok {
		plain = f.Size
	}
	r, err := xz.NewReader(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("unpack index of %s: %w", s.name, err)
	}
	if err := x.add(io.LimitReader(r, plain), s.archive); err != nil {
		return fmt.Errorf("index of %s: %w", s.name, err)
	}
	return nil
}

// maxPlainIndex bounds an unpacked index whose release does not tell its size.
const maxPlainIndex = 1 << 30

// joinURL puts a clean relative path behind a base that ends in a slash.
func joinURL(base, rel string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", fmt.Errorf("read address %q: not an http address", redact(base))
	}
	return u.JoinPath(rel).String(), nil
}
