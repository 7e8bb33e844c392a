package nix

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// The actions of nix's structured log (`--log-format internal-json`), and those
// numbers of its activities and results that matter here. They have not changed
// since 2.0; nix's source names them in logging.hh.
const (
	actStart  = "start"
	actStop   = "stop"
	actResult = "result"
	actMsg    = "msg"

	typeCopyPath     = 100
	typeFileTransfer = 101
	typeBuilds       = 104
	typeBuild        = 105
	typeSubstitute   = 108
	typeBuildWaiting = 111
	typeFetchTree    = 112

	resultLogLine   = 101
	resultUntrusted = 102
	resultCorrupted = 103
	resultPhase     = 104
	resultProgress  = 105
	resultPostLine  = 107
)

// maxLevelError is the level of messages that are errors.
const maxLevelError = 0

// An event is one line of nix's log. Fields that a version leaves out, or gives
// another type, are zero.
type event struct {
	action string
	id     uint64
	level  int
	kind   int // of the activity or the result
	text   string
	strs   []string // the fields; "" where a field is a number
	nums   []int64  // the fields; 0 where a field is text
	msg    string   // with colours
	raw    string   // the message without position, trace and the word "error"
	file   string
	line   int
}

var logPrefix = []byte("@nix ")

// parseEvent reads one line. What is not a structured line becomes a message of
// its text, because nix also writes plain lines before its logger is up.
func parseEvent(line []byte) event {
	body, ok := bytes.CutPrefix(line, logPrefix)
	var m map[string]json.RawMessage
	if !ok || json.Unmarshal(body, &m) != nil || m == nil {
		text := string(line)
		return event{action: actMsg, level: plainLevel(text), msg: text}
	}
	ev := event{
		action: asText(m["action"]), level: int(asNumber(m["level"])), kind: int(asNumber(m["type"])),
		text: asText(m["text"]), msg: asText(m["msg"]), raw: asText(m["raw_msg"]),
		file: asText(m["file"]), line: int(asNumber(m["line"])),
	}
	ev.id, _ = strconv.ParseUint(string(m["id"]), 10, 64) // 0, which is no activity, where it is not a number
	var fields []json.RawMessage
	if json.Unmarshal(m["fields"], &fields) == nil {
		for _, f := range fields {
			ev.strs = append(ev.strs, asText(f))
			ev.nums = append(ev.nums, asNumber(f))
		}
	}
	return ev
}

func plainLevel(text string) int {
	if text = clean(text); len(text) >= 6 && text[:6] == "error:" {
		return maxLevelError
	}
	return 3
}

func (e event) str(i int) string {
	if i < len(e.strs) {
		return e.strs[i]
	}
	return ""
}

func (e event) num(i int) int64 {
	if i < len(e.nums) {
		return e.nums[i]
	}
	return 0
}

func asText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func asNumber(raw json.RawMessage) int64 {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
