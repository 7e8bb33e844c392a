package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"hop3/internal/deploy"
)

// answer writes doc as JSON if the caller asked for it, else what text writes.
func (c *Call) answer(doc any, text func(w io.Writer)) error {
	if !c.JSON {
		text(c.Out)
		return nil
	}
	enc := json.NewEncoder(c.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

// table writes rows in columns; the first row is the heading.
func table(w io.Writer, rows [][]string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		_, _ = fmt.Fprintln(tw, strings.Join(r, "\t")) // a caller that cannot be told has gone
	}
	_ = tw.Flush()
}

// say writes a line on stderr, where talk goes; stdout is data.
func (c *Call) say(format string, a ...any) {
	_, _ = fmt.Fprintf(c.Err, format+"\n", a...) // a caller that cannot be told has gone
}

// request is how the call asks the pipeline for a change of its app.
func (c *Call) request() deploy.Request {
	c.talk = deploy.NewTalk(c.Err)
	return deploy.Request{App: c.App, By: c.Who, Talk: c.talk}
}

// when writes a time for people, in UTC, to the second.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
