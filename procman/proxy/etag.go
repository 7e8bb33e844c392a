package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"path"
	"strings"
	"sync"
)

const (
	// hashUpTo is the size of file whose ETag is its content's hash, which is the
	// same in the next release if the file is. Larger ones are not read for it.
	hashUpTo = 4 << 20
	// maxTags bounds the hashes kept per site; beyond it they are computed again.
	maxTags = 8192
)

// A tagCache keeps the ETags of files that do not change.
type tagCache struct {
	mu   sync.Mutex
	tags map[string]string
}

// etag returns the file's entity tag, quoted.
func (s *site) etag(f *staticFile) string {
	if s.Tag == "" {
		return fmt.Sprintf(`"%x-%x%s"`, f.info.ModTime().UnixNano(), f.info.Size(), f.encoding)
	}
	key := f.name + "\x00" + f.encoding
	s.tags.mu.Lock()
	tag := s.tags.tags[key]
	s.tags.mu.Unlock()
	if tag != "" {
		return tag
	}
	h := sha256.New()
	if f.info.Size() > hashUpTo {
		fmt.Fprintf(h, "%s\x00%s\x00%d", s.Tag, key, f.info.Size())
	} else if _, err := io.Copy(h, f); err != nil {
		return "" // sending it will fail as well
	} else if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	tag = `"` + hex.EncodeToString(h.Sum(nil)[:12]) + `"`
	s.tags.mu.Lock()
	defer s.tags.mu.Unlock()
	if s.tags.tags == nil {
		s.tags.tags = map[string]string{}
	}
	if len(s.tags.tags) < maxTags {
		s.tags.tags[key] = tag
	}
	return tag
}

// contentTypes are the types of the web's own files, so that they do not
// depend on what the machine knows.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".json": "application/json",
	".map": "application/json", ".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".xml": "text/xml; charset=utf-8",
	".csv": "text/csv; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".ico": "image/x-icon", ".woff": "font/woff", ".woff2": "font/woff2",
	".ttf": "font/ttf", ".otf": "font/otf", ".wasm": "application/wasm", ".pdf": "application/pdf", ".mp4": "video/mp4",
	".webm": "video/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".webmanifest": "application/manifest+json",
	".zip": "application/zip", ".gz": "application/gzip", ".rss": "application/rss+xml", ".atom": "application/atom+xml",
}

// contentType returns the media type by the name's extension.
func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t := contentTypes[ext]; t != "" {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}
