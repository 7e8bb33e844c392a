package detect

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// script is a command: a string, or a list that is run in order.
type script string

// UnmarshalTOML implements toml.Unmarshaler.
func (s *script) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case string:
		*s = script(v)
		return nil
	case []any:
		var parts []string
		for _, e := range v {
			p, ok := e.(string)
			if !ok {
				return fmt.Errorf("a command is a string or a list of strings")
			}
			parts = append(parts, p)
		}
		*s = script(strings.Join(parts, " && "))
		return nil
	}
	return fmt.Errorf("a command is a string or a list of strings")
}

// duration is "10s" or a number of seconds.
type duration time.Duration

// UnmarshalTOML implements toml.Unmarshaler.
func (d *duration) UnmarshalTOML(v any) error {
	const most = 24 * time.Hour
	var got time.Duration
	switch v := v.(type) {
	case int64:
		got = time.Duration(min(v, int64(most/time.Second)+1)) * time.Second
	case float64:
		got = time.Duration(v * float64(time.Second))
	case string:
		var err error
		if got, err = time.ParseDuration(v); err != nil {
			return fmt.Errorf("a duration is a number of seconds or a text like \"10s\"")
		}
	default:
		return fmt.Errorf("a duration is a number of seconds or a text like \"10s\"")
	}
	if got < 0 || got > most {
		return fmt.Errorf("a duration lies between 0 and 24h")
	}
	*d = duration(got)
	return nil
}

// size is a number of bytes, or "512M", "1GiB".
type size int64

var sizeText = regexp.MustCompile(`^([0-9]+)\s*(?i:([kmgt])i?b?)?$`)

// UnmarshalTOML implements toml.Unmarshaler.
func (s *size) UnmarshalTOML(v any) error {
	bad := fmt.Errorf("a size is a number of bytes or a text like \"512M\"")
	if n, ok := v.(int64); ok && n >= 0 {
		*s = size(n)
		return nil
	}
	text, ok := v.(string)
	m := sizeText.FindStringSubmatch(strings.TrimSpace(text))
	if !ok || m == nil {
		return bad
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]int{"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[strings.ToLower(m[2])]
	if err != nil || n > 1<<62>>shift {
		return bad
	}
	*s = size(n << shift)
	return nil
}

// cpu is in thousandths of a core: 0.5, 2, or "500m".
type cpu int64

// UnmarshalTOML implements toml.Unmarshaler.
func (c *cpu) UnmarshalTOML(v any) error {
	var f float64
	switch v := v.(type) {
	case int64:
		f = float64(v)
	case float64:
		f = v
	case string:
		n, milli := strings.CutSuffix(strings.TrimSpace(v), "m")
		var err error
		if f, err = strconv.ParseFloat(n, 64); err != nil {
			f = -1
		}
		if milli {
			f /= 1000
		}
	default:
		f = -1
	}
	if !(f >= 0 && f <= 1024) {
		return fmt.Errorf("cpu is a number of cores: 0.5, 2 or \"500m\"")
	}
	*c = cpu(f * 1000)
	return nil
}

func tomlErr(text, key, format string, args ...any) error {
	return &ParseError{File: "hop3.toml", Line: keyLine(text, strings.Split(key, ".")), Msg: key + ": " + fmt.Sprintf(format, args...)}
}

// checkTOMLName refuses a key of a table that cannot be the name of a process or a job.
func checkTOMLName(text, table, name string) error {
	if err := checkProcName(name); err != nil {
		return &ParseError{File: "hop3.toml", Line: keyLine(text, append(strings.Split(table, "."), name)), Msg: "[" + table + "]: " + err.Error()}
	}
	return nil
}

func (f tomlFile) mergeEnv(text string, m *Manifest) error {
	for _, k := range slices.Sorted(maps.Keys(f.Env)) {
		if k == "_policy" || k == "computed" {
			m.warnf("hop3.toml [env] %s is not used", k)
			continue
		}
		if !envName.MatchString(k) {
			return tomlErr(text, "env."+k, "a name has letters, digits and _")
		}
		switch v := f.Env[k].(type) {
		case map[string]any:
			if err := f.mergeEnvTable(text, k, v, m); err != nil {
				return err
			}
		case string:
			m.Env[k] = v
		case int64, float64, bool:
			m.Env[k] = fmt.Sprint(v)
		default:
			return tomlErr(text, "env."+k, "a value is a string, a number, or {generate = …}, {from = …}")
		}
	}
	return nil
}

func (f tomlFile) mergeEnvTable(text, k string, v map[string]any, m *Manifest) error {
	known := []string{"generate", "length", "prefix", "display", "from", "key"}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(known, key) {
			return tomlErr(text, "env."+k, "unknown key %q%s", clip(key), didYouMean(key, known))
		}
	}
	kinds := []string{"hex", "base64", "urlsafe", "password", "uuid"}
	if kind, ok := v["generate"].(string); ok {
		if !slices.Contains(kinds, kind) {
			return tomlErr(text, "env."+k, "generate is one of %s", join(kinds))
		}
		length, _ := v["length"].(int64) // absent or not a number: 0, the server's default
		m.EnvGenerate[k] = Generate{Kind: kind, Length: int(min(max(length, 0), 4096))}
		return nil
	}
	from, _ := v["from"].(string) // absent: a value of the server
	key, _ := v["key"].(string)
	if from == "" && key == "" {
		return tomlErr(text, "env."+k, "needs generate, from or key")
	}
	m.EnvFrom[k] = EnvFrom{From: from, Key: key}
	return nil
}

var signals = []string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGWINCH"}

func (f tomlFile) mergeProcesses(text string, m *Manifest) error {
	for _, name := range slices.Sorted(maps.Keys(f.Processes)) {
		p, key := f.Processes[name], "processes."+name
		if err := checkTOMLName(text, "processes", name); err != nil {
			return err
		}
		if p.Count != nil && (*p.Count < 0 || *p.Count > maxCount) {
			return tomlErr(text, key+".count", "lies between 0 and %d", maxCount)
		}
		if p.Pids < 0 {
			return tomlErr(text, key+".pids", "is not negative")
		}
		if p.RestartLimit < 0 {
			return tomlErr(text, key+".restart-limit", "is not negative")
		}
		if p.Swap != "" && p.Swap != "overlap" && p.Swap != "exclusive" {
			return tomlErr(text, key+".swap", "is \"overlap\" or \"exclusive\"")
		}
		sig := strings.ToUpper(p.StopSignal)
		if sig != "" && !strings.HasPrefix(sig, "SIG") {
			sig = "SIG" + sig
		}
		if sig != "" && !slices.Contains(signals, sig) {
			return tomlErr(text, key+".stop-signal", "is one of %s", join(signals))
		}
		if p.Command != "" {
			m.setProc(Process{name, string(p.Command), "hop3.toml [processes." + name + "]", keyLine(text, []string{"processes", name, "command"})})
		}
		m.Processes[name] = ProcessSettings{
			Command: string(p.Command), Count: p.Count, Memory: int64(p.Memory), CPU: int64(p.CPU), Pids: p.Pids,
			StopSignal: sig, StopTimeout: time.Duration(p.StopTimeout), Swap: p.Swap,
			StartTimeout: time.Duration(p.StartTimeout), DrainTimeout: time.Duration(p.DrainTimeout), RestartLimit: p.RestartLimit,
			Checks: m.Processes[name].Checks,
		}
		if p.Count != nil {
			m.Formation[name] = *p.Count
		}
	}
	return nil
}

func (f tomlFile) mergePort(text string, m *Manifest) error {
	for _, name := range slices.Sorted(maps.Keys(f.Port)) {
		n, ok := f.Port[name].(int64)
		if table, isTable := f.Port[name].(map[string]any); isTable {
			n, ok = table["container"].(int64)
		}
		if !ok || n < 1 || n > 65535 {
			return tomlErr(text, "port."+name, "a port is a number from 1 to 65535")
		}
		if name == "web" || len(f.Port) == 1 {
			m.Port = int(n)
		}
	}
	return nil
}

// maxWatch bounds [watch] seconds: a day of probation would undo what people did meanwhile.
const maxWatch = 3600

func (f tomlFile) mergeRest(text string, m *Manifest) error {
	h := f.Healthcheck
	if h.Path != "" && !strings.HasPrefix(h.Path, "/") {
		return tomlErr(text, "healthcheck.path", "begins with /")
	}
	m.Health = Health{
		Path: cmp.Or(h.Path, m.Health.Path), Interval: cmp.Or(time.Duration(h.Interval), m.Health.Interval),
		Timeout: cmp.Or(time.Duration(h.Timeout), m.Health.Timeout), Retries: cmp.Or(h.Retries, m.Health.Retries),
		Command: cmp.Or(string(h.Command), m.Health.Command),
	}
	if web := m.Processes["web"]; h.Path != "" || h.Command != "" { // hop3.toml over app.json
		web.Checks = nil
		m.Processes["web"] = web
	}
	if s := f.Watch.Seconds; s != nil {
		if *s < 0 || *s > maxWatch {
			return tomlErr(text, "watch.seconds", "lies between 0 and %d", maxWatch)
		}
		m.Watch = cmp.Or(time.Duration(*s)*time.Second, -1)
	}
	m.Domains = f.Domains.List
	for _, name := range slices.Sorted(maps.Keys(f.Cron)) {
		if err := checkTOMLName(text, "cron", name); err != nil {
			return err
		}
		c := f.Cron[name]
		if c.Schedule == "" || c.Command == "" {
			return tomlErr(text, "cron."+name, "needs schedule and command")
		}
		if !slices.Contains([]string{"", "skip", "allow", "replace"}, c.Overlap) {
			return tomlErr(text, "cron."+name+".overlap", "is \"skip\", \"allow\" or \"replace\"")
		}
		m.Cron = append(m.Cron, Cron{name, c.Schedule, string(c.Command), c.Overlap, time.Duration(c.Timeout)})
	}
	for _, v := range f.Volumes {
		if v.Path == "" {
			return tomlErr(text, "volumes", "each needs a path")
		}
		m.Volumes = append(m.Volumes, Volume{v.Name, v.Path})
	}
	return f.mergeNix(text, m)
}
