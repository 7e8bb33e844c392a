package proxy

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// A page is an answer of the router itself.
type page struct {
	status int
	title  string
	text   string // what the visitor is told
	retry  string // Retry-After, in seconds
}

var (
	pageNone           = page{} // the client has left
	pageBadRequest     = page{status: http.StatusBadRequest, title: "Bad request", text: "The request could not be understood."}
	pageRequestTimeout = page{status: http.StatusRequestTimeout, title: "Request timed out", text: "The rest of the request did not arrive in time."}
	pageTooLarge       = page{status: http.StatusRequestEntityTooLarge, title: "Too large", text: "The request is larger than this app takes."}
	pageUnknownHost    = page{status: http.StatusNotFound, title: "Nothing here", text: "No app answers at this address."}
	pageBadGateway     = page{status: http.StatusBadGateway, title: "The app did not answer", text: "The app ended the connection or could not be reached. Please try again in a moment."}
	pageUnavailable    = page{status: http.StatusServiceUnavailable, title: "Not ready", text: "The app has no running instance right now. Please try again in a moment.", retry: "5"}
	pageMaintenance    = page{status: http.StatusServiceUnavailable, title: "Down for maintenance", text: "The app is down for maintenance.", retry: "60"}
	pageTimeout        = page{status: http.StatusGatewayTimeout, title: "The app took too long", text: "The app did not answer in time."}
	pageNotFound       = page{status: http.StatusNotFound, title: "Not found", text: "There is no such page."}
	pageNotAllowed     = page{status: http.StatusMethodNotAllowed, title: "Method not allowed", text: "Only GET and HEAD are served here."}
)

// style is the one look of all pages; they load nothing.
const style = `body{font:16px/1.5 system-ui,sans-serif;color:#222;background:#fafafa;margin:20vh auto 0;max-width:32em;padding:0 1em}` +
	`h1{font-size:1.5em}small{color:#777}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}}`

// page answers with p. The text, if there is one, takes the place of p's own.
func (x *exchange) page(p page, text string) {
	if text == "" {
		text = p.text
	}
	h := x.w.Header()
	clear := []string{"Content-Length", "Content-Encoding", "Trailer", "Etag", "Last-Modified", "Set-Cookie", "Location"}
	for _, k := range clear { // of a response that was given up
		delete(h, k)
	}
	if x.app != nil {
		x.strict(h)
	}
	h.Set("X-Request-Id", x.id)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if p.retry != "" {
		h.Set("Retry-After", p.retry)
	}
	if x.req.ContentLength != 0 { // a body that may not have been read ends the connection
		h.Set("Connection", "close")
	}
	body, contentType := p.html(text, x.id), "text/html; charset=utf-8"
	if wantsJSON(x.req.Header["Accept"]) {
		body, contentType = p.json(text, x.id), "application/json"
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.status = p.status
	x.w.WriteHeader(p.status)
	if x.req.Method == http.MethodHead {
		return
	}
	n, _ := io.WriteString(x.w, body) // a client that left needs no page
	x.bytes += int64(n)
}

func (p page) html(text, id string) string {
	title := strconv.Itoa(p.status) + " " + p.title
	return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>` +
		html.EscapeString(title) + `</title><style>` + style + `</style></head><body><h1>` + html.EscapeString(title) +
		`</h1><p>` + html.EscapeString(text) + `</p><small>Request ` + html.EscapeString(id) + `</small></body></html>` + "\n"
}

func (p page) json(text, id string) string {
	out, err := json.Marshal(struct {
		Status    int    `json:"status"`
		Error     string `json:"error"`
		Message   string `json:"message"`
		RequestID string `json:"request_id"`
	}{p.status, p.title, text, id})
	if err != nil {
		return "{}\n" // strings and a number always marshal
	}
	return string(out) + "\n"
}

// wantsJSON reports whether Accept names JSON and does not name HTML before it.
func wantsJSON(accept []string) bool {
	for _, v := range accept {
		for e := range strings.SplitSeq(v, ",") {
			t, _, _ := strings.Cut(e, ";")
			switch t = strings.ToLower(strings.TrimSpace(t)); {
			case t == "text/html":
				return false
			case t == "application/json", strings.HasPrefix(t, "application/") && strings.HasSuffix(t, "+json"):
				return true
			}
		}
	}
	return false
}
