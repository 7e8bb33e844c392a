package proxy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// Static is a folder whose files are the app.
//
// A folder is answered by its index.html, what is missing by 404.html, if
// there is one. Files whose name begins with a dot are not served, nor what is
// in such folders, .well-known excepted. FILE.br, FILE.zst and FILE.gz, where they
// exist, are sent in FILE's place to those who accept them. Symbolic links are followed
// inside the folder only.
type Static struct {
	Dir string
	// Tag names the contents of Dir, as a store path's hash does: while it is
	// the same, no file under Dir changes. "" means that they may.
	Tag string
	// SPA answers what is missing by /index.html, for apps that route in the browser.
	SPA bool
}

// A site is a Static that is open. Its root is closed when it is collected:
// requests may still use it after its route has been replaced.
type site struct {
	Static
	root *os.Root
	tags tagCache
}

func openSite(s Static) (*site, error) {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("open static folder: %w", err)
	}
	return &site{Static: s, root: root}, nil
}

// A staticFile is an open file and what is to be said about it.
type staticFile struct {
	*os.File
	info     fs.FileInfo
	name     string // without the encoding's suffix
	encoding string
}

var errIsDir = errors.New("is a folder")

// encodings are the precompressed forms, the smaller first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}

// static answers with a file.
func (x *exchange) static(s *site) {
	x.strict(x.w.Header())
	if x.req.Method != http.MethodGet && x.req.Method != http.MethodHead {
		x.w.Header().Set("Allow", "GET, HEAD")
		x.page(pageNotAllowed, "")
		return
	}
	name, ok := cleanPath(x.req.URL.Path)
	if !ok {
		x.page(pageNotFound, "")
		return
	}
	f, err := s.find(name, x.req)
	switch {
	case errors.Is(err, errIsDir):
		x.redirect(name + "/")
	case err == nil:
		defer f.Close() // read only
		x.sendFile(s, f)
	case s.SPA && wantsPage(name, x.req):
		x.fallback(s, "index.html", http.StatusOK)
	default:
		x.fallback(s, "404.html", http.StatusNotFound)
	}
}

// cleanPath returns the slash path in the folder that a URL's path names,
// "" for the root, with a trailing slash where the URL has one. It is not ok
// where the path is hidden or cannot be a file's.
func cleanPath(p string) (name string, ok bool) {
	if strings.ContainsAny(p, "\\\x00") || len(p) > 4096 {
		return "", false
	}
	clean := strings.TrimPrefix(path.Clean("/"+p), "/")
	for segment := range strings.SplitSeq(clean, "/") {
		if strings.HasPrefix(segment, ".") && segment != ".well-known" {
			return "", false
		}
	}
	if clean != "" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean, true
}

// wantsPage reports whether a missing path is one of the app's pages rather
// than a missing file.
func wantsPage(name string, req *http.Request) bool {
	if path.Ext(name) == "" {
		return true
	}
	return strings.Contains(req.Header.Get("Accept"), "text/html")
}

// redirect sends the client to the same folder with a slash. The path is
// escaped and begins with one slash only, so that it stays on this host.
func (x *exchange) redirect(name string) {
	to := url.URL{Path: "/" + name, RawQuery: x.req.URL.RawQuery}
	h := x.w.Header()
	h.Set("Location", to.String())
	h.Set("Content-Length", "0")
	h["Content-Type"] = nil
	x.status = http.StatusMovedPermanently
	x.w.WriteHeader(x.status)
}

// find opens the file for a cleaned path: itself, or a folder's index.
func (s *site) find(name string, req *http.Request) (*staticFile, error) {
	if name == "" || strings.HasSuffix(name, "/") {
		return s.open(name+"index.html", req)
	}
	f, err := s.open(name, req)
	if errors.Is(err, errIsDir) {
		if index, err := s.root.Stat(name + "/index.html"); err != nil || !index.Mode().IsRegular() {
			return nil, fs.ErrNotExist
		}
	}
	return f, err
}

// open opens a file in the smallest form that the client takes.
func (s *site) open(name string, req *http.Request) (*staticFile, error) {
	for _, e := range encodings {
		if !acceptsEncoding(req.Header["Accept-Encoding"], e.name) {
			continue
		}
		if f, err := s.openRegular(name + e.suffix); err == nil {
			if _, err := s.root.Stat(name); err == nil { // not a file that is only there compressed
				f.name, f.encoding = name, e.name
				return f, nil
			}
			_ = f.Close() // read only
		}
	}
	return s.openRegular(name)
}

func (s *site) openRegular(name string) (*staticFile, error) {
	info, err := s.root.Stat(name) // first: opening a pipe would wait
	if err != nil {
		return nil, fmt.Errorf("stat static file: %w", err)
	}
	if info.IsDir() {
		return nil, errIsDir
	}
	if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open static file: %w", err)
	}
	return &staticFile{File: f, info: info, name: name}, nil
}

// describe sets the headers of a file, but for those that depend on the range.
func (x *exchange) describe(s *site, f *staticFile) {
	h := x.w.Header()
	h.Set("X-Request-Id", x.id)
	h.Set("Content-Type", contentType(f.name))
	h.Set("Cache-Control", "public, max-age=0, must-revalidate") // the ETag makes that cheap
	h.Add("Vary", "Accept-Encoding")
	if f.encoding != "" {
		h.Set("Content-Encoding", f.encoding)
	}
	if tag := s.etag(f); tag != "" {
		h.Set("Etag", tag)
	}
}

func (x *exchange) sendFile(s *site, f *staticFile) {
	x.describe(s, f)
	if f.encoding != "" { // http.ServeContent leaves it out then
		x.w.Header().Set("Content-Length", strconv.FormatInt(f.info.Size(), 10))
	}
	var modified time.Time // the store has none
	if s.Tag == "" {
		modified = f.info.ModTime()
	}
	http.ServeContent(&recorder{ResponseWriter: x.w, x: x}, x.req, "", modified, f)
}

// fallback answers with one of the site's own pages, or the router's.
func (x *exchange) fallback(s *site, name string, status int) {
	f, err := s.open(name, x.req)
	if err != nil {
		x.page(pageNotFound, "")
		return
	}
	defer f.Close() // read only
	if status == http.StatusOK {
		x.sendFile(s, f)
		return
	}
	x.describe(s, f)
	h := x.w.Header()
	h.Del("Etag") // it is the page's, not that of what was asked for
	h.Set("Content-Length", strconv.FormatInt(f.info.Size(), 10))
	x.status = status
	x.w.WriteHeader(status)
	if x.req.Method == http.MethodHead {
		return
	}
	n, err := io.Copy(x.w, f)
	x.bytes += n
	if err != nil {
		x.abort(fmt.Errorf("send static file: %w", err))
	}
}

// acceptsEncoding reports whether Accept-Encoding takes the coding. "*" is not
// taken as consent: who sends it alone is seldom able to decode brotli.
func acceptsEncoding(values []string, coding string) bool {
	for _, v := range values {
		for e := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(e, ";")
			if strings.EqualFold(strings.TrimSpace(name), coding) {
				return !zeroWeight(params)
			}
		}
	}
	return false
}

// zeroWeight reports whether the parameters have q=0.
func zeroWeight(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(k, "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return err != nil || q == 0
		}
	}
	return false
}
