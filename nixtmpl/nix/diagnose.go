package nix

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

var (
	// "builder for 'X.drv' failed with exit code 3", and since 2.30 "Cannot build
	// 'X.drv'.\nReason: builder failed with exit code 3."
	failedDrv  = regexp.MustCompile(`(?:builder for|Cannot build|building of|building derivation|while building|build of) '(` + StoreDir + `/[^']+\.drv)(?:[!^][^']*)?'`)
	exitCode   = regexp.MustCompile(`failed with exit code (\d{1,3})`)
	signalled  = regexp.MustCompile(`failed due to (signal \d{1,3}(?: \([^)]{1,40}\))?)`)
	position   = regexp.MustCompile(`at (/[^\s:'"]+|«[^»]+»):(\d{1,7})(?::\d+)?`)
	sourcePath = regexp.MustCompile(StoreDir + `/[0-9a-z]{32}-source/`)
	columns    = regexp.MustCompile(`(?::\d+)+$`)
	// Nix's copy of the end of the log; the driver has a longer one.
	logExcerpt  = regexp.MustCompile(`(?is)[;.]?\s*\n\s*last \d+ log lines:.*$`)
	moreLogs    = regexp.MustCompile(`(?is)\s*for full logs, run.*$`)
	outputPaths = regexp.MustCompile(`(?s)\s*Output paths:.*$`)
	// What nix says of the derivations that could not be tried.
	afterthoughts = regexp.MustCompile(`^\d+ dependenc(?:y|ies) of derivation|^some (?:builds|substitutes)|^build of .* failed$|(?s)^Cannot build .*Reason: \d+ dependenc`)
)

// diagnose finds what failed first among nix's errors.
func diagnose(messages []event, evaluating bool) *BuildError {
	e := &BuildError{ExitCode: -1, Step: "build", Reason: ReasonBuild}
	if evaluating {
		e.Step, e.Reason = "evaluation", ReasonEval
	}
	var all strings.Builder
	for _, ev := range messages {
		text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(ev.msg), "error:"))
		all.WriteString(ev.msg + "\n" + ev.raw + "\n")
		if e.Drv == "" {
			e.failedBuild(text)
		}
		if e.Message == "" || (evaluating && e.Drv == "") {
			e.Message = sourcePath.ReplaceAllString(quote(text, ev.raw), "")
			e.locate(ev, text)
		}
	}
	e.HashMismatches = parseMismatches(all.String())
	if len(e.HashMismatches) > 0 {
		first := e.HashMismatches[0]
		e.Reason, e.Drv = ReasonMismatch, first.Drv
	}
	return e
}

// failedBuild takes derivation and exit status from a message that tells of them.
func (e *BuildError) failedBuild(text string) {
	m := failedDrv.FindStringSubmatch(text)
	if m == nil || afterthoughts.MatchString(text) {
		return
	}
	e.Drv, e.Reason = m[1], ReasonBuild
	e.Message = quote(text, "")
	if c := exitCode.FindStringSubmatch(text); c != nil {
		e.ExitCode, _ = strconv.Atoi(c[1]) // three digits at most
	}
	if s := signalled.FindStringSubmatch(text); s != nil {
		e.Signal = s[1]
	}
}

// locate takes file and line from an evaluation error. A file of the flake is
// named as in the flake.
func (e *BuildError) locate(ev event, text string) {
	file, line := ev.file, ev.line
	if m := position.FindStringSubmatch(text); m != nil && (file == "" || line == 0) {
		file = m[1]
		line, _ = strconv.Atoi(m[2]) // seven digits at most
	}
	if line <= 0 || !strings.HasPrefix(file, "/") { // «string», or the text of an expression
		return
	}
	// Since 2.20 the file of a syntax error has the position behind it.
	e.File, e.Line = sourcePath.ReplaceAllString(columns.ReplaceAllString(file, ""), ""), line
}

// quote is a message without the copy of the log and the advice that nix adds,
// and at most a few lines long.
func quote(text, raw string) string {
	if raw != "" {
		text = raw
	}
	text = moreLogs.ReplaceAllString(text, "")
	text = outputPaths.ReplaceAllString(text, "")
	text = logExcerpt.ReplaceAllString(text, "")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if len(lines) > 12 {
		lines = append(lines[:12], "…")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), ";. \n")
}

const timeoutHint = "the step ran too long or wrote nothing for too long; make it shorter, or raise the server's build timeout"

// A cause is a text that nix or a builder writes where the fault is not the
// app's own, with its reason and the way to mend it.
type cause struct {
	text   *regexp.Regexp
	reason string
	hint   string
	tail   bool // the step's own output counts too
}

// causes are looked for in this order; the first that fits is taken. They are compiled at the first failure.
var causes = sync.OnceValue(func() []cause {
	return []cause{
		{regexp.MustCompile(`(?i)no space left on device|database or disk is full|ENOSPC|disk quota exceeded`), ReasonDisk,
			"free some disk on the server: hop3 gc", true},
		{regexp.MustCompile(`(?i)requires? (?:a newer version of )?nix\b.{0,40}(?:>=|version|newer)|requires Nix|experimental Nix feature '[^']+' is disabled|unsupported version|newer version of Nix`), ReasonOldNix,
			"install a newer nix on the server, or pin an older nixpkgs (nixos-25.05 for nix 2.8)", false},
		{regexp.MustCompile(`(?i)timed out after \d+ seconds|of silence`), ReasonTimeout,
			timeoutHint, false},
		{regexp.MustCompile(`(?i)killed after writing more than \d+ bytes`), ReasonLog,
			"the step writes more than the server keeps; make it quieter", false},
		{regexp.MustCompile(`(?i)out of memory|bad_alloc|cannot allocate memory|virtual memory exhausted|ENOMEM|heap limit|signal 9\b|exit code 137|cc1plus: .*Killed`), ReasonMemory,
			"the step needs more memory than the server has free: add memory or swap, or build with fewer jobs", true},
		{regexp.MustCompile(`(?i)unable to download|could ?n[o']t resolve|name resolution|network is unreachable|no route to host|EAI_AGAIN|ENOTFOUND|ETIMEDOUT|ECONNREFUSED|connection (?:refused|timed out|reset by peer)|dial tcp|no such host|ssl (?:peer )?certificate`), ReasonNetwork,
			"only fetch steps have the network; if this is one, check the server's network, DNS and proxy, or use --packages debian", true},
		{regexp.MustCompile(`(?i)(?:setting up|initiali[sz]ing|create|unshare|clone).{0,40}(?:namespace|sandbox)|cloning builder process|this system does not support the kernel namespaces`), ReasonSandbox,
			"this machine cannot set up nix's sandbox: see hop3 doctor", false},
		{regexp.MustCompile(`(?i)cannot (?:find|be) .{0,60}registr|cannot find flake|lock file .* requires|is not allowed to be updated|unlocked`), ReasonInputLocked,
			"give the input a full reference in flake.nix, such as github:OWNER/REPO, and commit flake.lock", false},
		{regexp.MustCompile(`does not provide attribute`), ReasonAttr,
			"give flake.nix an output packages.<system>.default", false},
	}
})

// classify narrows the reason down, and finds the hint.
func (e *BuildError) classify() {
	switch e.Reason {
	case ReasonMismatch:
		e.hint = "the fetched files are not those of the lock file, or the recorded hash is old: push again with -o no-cache"
		return
	case ReasonTimeout:
		e.hint = timeoutHint
		return
	}
	said := e.Message + " " + e.Signal
	wrote := strings.Join(e.Tail, "\n")
	for _, c := range causes() {
		if c.text.MatchString(said) || c.tail && e.Drv != "" && c.text.MatchString(wrote) {
			e.Reason, e.hint = c.reason, c.hint
			return
		}
	}
	if e.Reason == ReasonEval && e.File != "" {
		e.hint = "look at line " + strconv.Itoa(e.Line) + " of " + e.File
	}
}
