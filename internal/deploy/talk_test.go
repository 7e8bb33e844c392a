package deploy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestTalk_ShapeAndSecrets(t *testing.T) {
	var b strings.Builder
	talk := NewTalk(&b)
	talk.Hide(map[string]string{"A": "canary-1", "B": "canary-12345", "KEY": "-----BEGIN-----\nabcdefgh\n", "SHORT": "on", "MODE": "production", "DB": "postgres://u:p4ssw0rd@h/d"})
	talk.Step("Building with %s", "Nix")
	w := talk.Lines("release: ")
	fmt.Fprint(w, "token is canary-12345\r\nan")
	fmt.Fprint(w, "d canary-1\nin production with p4ssw0rd, Y2FuYXJ5LTEyMzQ1 and Y2FuYXJ5LTEyMzQ1Cg==, {\"KEY\":\"-----BEGIN-----\\nabcdefgh\\n\"}\nlast abcdefgh")
	w.Close()
	talk.report(&Failure{What: "the build failed", Tail: []string{"x canary-1"}, Mend: "look", Status: errors.New("y")})
	talk.Done("on")
	want := `-----> Building with Nix
       release: token is ********
       release: and ********
       release: in production with ********, ******** and ********==, {"KEY":"********"}
       release: last ********
 !       x ********
 !     the build failed
 !     look
=====> on
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestTalk_LineWithoutEndIsCut(t *testing.T) {
	var b strings.Builder
	w := NewTalk(&b).Lines("")
	for range 10 {
		if _, err := w.Write([]byte(strings.Repeat("x", maxLine/2))); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(b.String(), "\n"); n < 4 {
		t.Errorf("%d lines out of 5 times the limit", n)
	}
}

// A line that is cut shows no part of a secret, wherever the cut and the writes come.
func TestTalk_CutsNoSecret(t *testing.T) {
	const secret = "canary-1234567890"
	for before := maxLine - len(secret) - 2; before < maxLine+2; before++ {
		var b strings.Builder
		talk := NewTalk(&b)
		talk.Hide(map[string]string{"A": secret, "B": "xxxxxxxxcanary"}) // begins where the other ends
		w := talk.Lines("")
		for _, part := range []string{strings.Repeat("-", before) + secret[:4], secret[4:9], secret[9:] + "-end\n"} {
			fmt.Fprint(w, part)
		}
		if out := b.String(); strings.Contains(strings.ReplaceAll(out, "\n       ", ""), "canary") || strings.Contains(out, "7890") || !strings.HasSuffix(out, "-end\n") {
			t.Errorf("%d bytes before it: %.60q", before, out[max(0, len(out)-60):])
		}
	}
}
