package manual

import (
	"bytes"
	"fmt"
	"strings"
)

// Roff is the manual page hop3(1), in the man macros.
func (b Book) Roff(exits []Exit) []byte {
	var w bytes.Buffer
	fmt.Fprint(&w, `.\" Made of the command table: go test ./cmd/hop3 -run Reference -update
.TH HOP3 1 "" hop3 "User Commands"
.SH NAME
hop3 \- git push deploys, Nix isolates
.SH SYNOPSIS
.B hop3
.I COMMAND
[\fIARGUMENT\fR]...
.br
.B ssh \-p 2222 hop3@\fIHOST\fR
[\fICOMMAND\fR [\fIARGUMENT\fR]...]
.br
.B git push hop3 main
.SH DESCRIPTION
hop3 is a deployment server and the client of one.
A git push builds the pushed commit with Nix and exchanges the app's processes without losing a request; everything else is a command over ssh.
.PP
What hop3 does not carry out itself it sends by the user's own ssh to the server of the git remote
.B hop3
of the current repository, with that remote's app filled in where the command takes one.
.PP
Of the server's commands stdout is data and stderr is talk.
An app is the first operand or
.BI \-a " APP" \fR;
without either it is the one app that the key may see.
`)
	fmt.Fprint(&w, ".SH COMMANDS OF THIS MACHINE\n")
	for _, e := range b.Local {
		e.roff(&w)
	}
	fmt.Fprint(&w, ".SH COMMANDS OF A SERVER\n")
	groups(b.Remote, func(group string, list []Entry) {
		fmt.Fprintf(&w, ".SS %s\n", escape(strings.ToUpper(group[:1])+group[1:]))
		for _, e := range list {
			e.roff(&w)
		}
	})
	fmt.Fprint(&w, ".SH EXIT STATUS\nAny command may end with 0, 2, 4, 5, 7 or 130.\n")
	for _, x := range exits {
		fmt.Fprintf(&w, ".TP\n.B %d\n%s\n", x.Code, escape(x.Meaning))
	}
	fmt.Fprint(&w, ".PP\n.B run\nand\n.B enter\nend as the command that they ran, with 128+n for a signal.\n")
	fmt.Fprint(&w, `.SH ENVIRONMENT
.TP
.B HOP3_REMOTE
The git remote whose server commands are sent to, instead of
.BR hop3 .
.TP
.BR GIT_SSH_COMMAND ", " GIT_SSH
The ssh that git uses, used for commands too.
.SH SEE ALSO
.BR git (1),
.BR nix (1),
.BR ssh (1)
`)
	return w.Bytes()
}

func (e Entry) roff(w *bytes.Buffer) {
	fmt.Fprintf(w, ".TP\n\\fB%s\\fR", escape(e.Name))
	if e.Usage != "" {
		fmt.Fprintf(w, " %s", escape(e.Usage))
	}
	fmt.Fprintf(w, "\n%s.\n", escape(strings.ToUpper(e.Short[:1])+e.Short[1:]))
	if e.Role != "" {
		fmt.Fprintf(w, "Role: %s.\n", escape(e.Role))
	}
	if codes := e.codes(); codes != "" {
		fmt.Fprintf(w, "Exit status besides: %s.\n", codes)
	}
	if e.Example != "" && e.Example != e.Name {
		fmt.Fprintf(w, ".IP\nExample: \\fB%s\\fR\n", escape(e.Example))
	}
	if len(e.Flags) > 0 {
		fmt.Fprint(w, ".IP\n.nf\n")
		for _, f := range e.Flags {
			fmt.Fprintf(w, "%s\n", escape(f))
		}
		fmt.Fprint(w, ".fi\n")
	}
}

// escape makes text stand for itself in roff: \ and - are its own, and so are
// . and ' at the beginning of a line.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
