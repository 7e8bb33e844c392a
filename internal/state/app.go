package state

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// appVersion is the version of app.json that this program writes.
const appVersion = 1

// An App is everything that hop3 knows of one app. Values handed out by a
// [Store] are never changed in place: read them freely, change them through
// [Store.Update].
type App struct {
	Name         string         `json:"name"`
	Created      time.Time      `json:"created"`
	CreatedBy    string         `json:"created_by"`
	UID          int            `json:"uid"` // of its processes; unique on this server
	DeployBranch string         `json:"deploy_branch,omitempty"`
	Domains      []string       `json:"domains,omitempty"`
	Formation    map[string]int `json:"formation,omitempty"`    // what ps:scale asked for; other types have their default
	Stopped      bool           `json:"stopped,omitempty"`      // by ps:stop
	Current      int            `json:"current"`                // number of the live release, 0 if none
	Releases     []Release      `json:"releases,omitempty"`     // ascending numbers
	LastRelease  int            `json:"last_release"`           // highest number ever used
	Pushed       string         `json:"pushed,omitempty"`       // commit of the last push that became live; the branch points to it
	RenamedFrom  string         `json:"renamed_from,omitempty"` // while something still goes by the old name
	// MaxBody is the largest request body in bytes, 0 for no limit; ResponseTimeout how long the app may take to begin
	// its answer, 0 for the router's default.
	MaxBody         int64         `json:"max_body,omitempty"`
	ResponseTimeout time.Duration `json:"response_timeout,omitempty"`
	Lock            *Mark         `json:"lock,omitempty"`        // by apps:lock: releases, settings and scale stay as they are
	Maintenance     *Mark         `json:"maintenance,omitempty"` // by maintenance:on: visitors get a page instead of the app

	Service  *Service     `json:"service,omitempty"`  // what it gives to others; nil for an app of somebody's own
	Attached []Attachment `json:"attached,omitempty"` // the services that it uses, in the order in which they came

	// Config holds the app's settings. It is encrypted at rest.
	Config map[string]string `json:"-"`
	// BuildKeys are the settings that builds see too, and that are no secrets therefore.
	BuildKeys []string `json:"build_keys,omitempty"`
}

// A Mark is something that was switched on by a person: who, when, and what
// they said about it.
type Mark struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Message string    `json:"message,omitempty"`
}

// A Status tells how far a release came.
type Status string

const (
	Pending Status = "pending" // built, not yet live
	Live    Status = "live"    // serving now
	Retired Status = "retired" // was live once; a rollback can bring it back
	Failed  Status = "failed"  // never became live

	// Withdrawn was live, and failed on probation: its predecessor was put back.
	Withdrawn Status = "withdrawn"
)

// A Release is one immutable version of an app: what was built, with the
// settings it runs with. Only its Status and Error change.
type Release struct {
	Number  int       `json:"number"`
	Status  Status    `json:"status"`
	Change  string    `json:"change"` // "deploy 3f2c1aa", "config: set PORT", "rollback to v3"
	Commit  string    `json:"commit"`
	Subject string    `json:"subject"`
	Ref     string    `json:"ref"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Error   string    `json:"error,omitempty"`
	Trusted bool      `json:"trusted,omitempty"` // its like was live before: not on probation

	Stack     string   `json:"stack"`
	StorePath string   `json:"store_path"`
	Closure   []string `json:"closure"`
	Size      int64    `json:"size"`  // of the closure, in bytes
	Roots     int      `json:"roots"` // number of the release whose folder holds the GC roots

	Processes      []Process         `json:"processes,omitempty"`
	Formation      map[string]int    `json:"formation,omitempty"` // defaults of the app's own files
	Cron           []Cron            `json:"cron,omitempty"`
	Port           int               `json:"port,omitempty"` // that the web processes insist on, 0 for none
	Volumes        []Volume          `json:"volumes,omitempty"`
	Static         string            `json:"static,omitempty"`
	SPA            bool              `json:"spa,omitempty"` // what Static misses is answered by its index.html
	ReleaseCommand string            `json:"release_command,omitempty"`
	Postdeploy     string            `json:"postdeploy,omitempty"` // runs after the swap of a deploy
	Env            map[string]string `json:"env,omitempty"`        // defaults of the app's own files, lowest precedence
	Hosts          []string          `json:"hosts,omitempty"`
	Health         Health            `json:"health,omitzero"`
	StartTimeout   time.Duration     `json:"start_timeout,omitempty"`
	DrainTimeout   time.Duration     `json:"drain_timeout,omitempty"`
	Watch          time.Duration     `json:"watch,omitempty"` // how long it is on probation; 0 as long as usual, negative not at all

	// Config is the app's settings at the time, encrypted at rest.
	Config map[string]string `json:"-"`
}

// A Volume is a folder of the app's data that its processes also see at Path.
type Volume struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// A Process is one process type of a release.
type Process struct {
	Type        string        `json:"type"`
	Command     string        `json:"command"`
	StopSignal  string        `json:"stop_signal,omitempty"`
	StopTimeout time.Duration `json:"stop_timeout,omitempty"`
	MemoryBytes int64         `json:"memory_bytes,omitempty"`
	CPUMillis   int64         `json:"cpu_millis,omitempty"`
	Pids        int64         `json:"pids,omitempty"`
	Exclusive   bool          `json:"exclusive,omitempty"`

	StartTimeout time.Duration `json:"start_timeout,omitempty"` // 0: the release's, as with the next
	DrainTimeout time.Duration `json:"drain_timeout,omitempty"`
	RestartLimit int           `json:"restart_limit,omitempty"`
	Checks       []Health      `json:"checks,omitempty"` // all must pass; without any, the release's Health
}

// A Cron is a command that runs by the clock.
type Cron struct {
	Name     string `json:"name"`
	Schedule string `json:"schedule"` // cron's five fields, or @hourly and its like; UTC unless CRON_TZ= says otherwise
	Command  string `json:"command"`

	Overlap string        `json:"overlap,omitempty"` // what happens while it still runs; "" is OverlapSkip
	Timeout time.Duration `json:"timeout,omitempty"` // after which it is ended; 0: as any job
}

// What happens when a cron entry is due that still runs.
const (
	OverlapSkip    = "skip"    // nothing: its next time counts
	OverlapAllow   = "allow"   // it runs twice
	OverlapReplace = "replace" // the earlier run is ended first
)

// Health tells how the readiness of a process is found.
type Health struct {
	Path     string        `json:"path,omitempty"`
	Interval time.Duration `json:"interval,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	Retries  int           `json:"retries,omitempty"`
	Command  string        `json:"command,omitempty"`

	Listening bool              `json:"listening,omitempty"` // it need only accept on its port
	Uptime    bool              `json:"uptime,omitempty"`    // it need only stay up for Interval
	Content   string            `json:"content,omitempty"`   // what the answer must hold
	Delay     time.Duration     `json:"delay,omitempty"`     // before the first look
	Wait      time.Duration     `json:"wait,omitempty"`      // after an unhealthy answer, where Retries counts them
	Headers   map[string]string `json:"headers,omitempty"`   // of the request
}

// Release returns the release with that number.
func (a *App) Release(number int) (Release, bool) {
	i := slices.IndexFunc(a.Releases, func(r Release) bool { return r.Number == number })
	if i < 0 {
		return Release{}, false
	}
	return a.Releases[i], true
}

// CurrentRelease returns the live release.
func (a *App) CurrentRelease() (Release, bool) { return a.Release(a.Current) }

// clone returns a copy whose maps and slices may be changed; the maps inside
// of releases are shared, for they never change.
func (a *App) clone() *App {
	c := *a
	c.Domains = slices.Clone(a.Domains)
	c.BuildKeys = slices.Clone(a.BuildKeys)
	c.Formation = maps.Clone(a.Formation)
	c.Releases = slices.Clone(a.Releases)
	c.Attached = slices.Clone(a.Attached)
	c.Config = maps.Clone(a.Config)
	if c.Formation == nil {
		c.Formation = map[string]int{}
	}
	if c.Config == nil {
		c.Config = map[string]string{}
	}
	return &c
}

// appName is the rule of PRODUCT.md for names of apps: a DNS label.
var appName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckAppName returns an error that states the rule if name is no legal name of an app.
func CheckAppName(name string) error {
	if appName.MatchString(name) {
		return nil
	}
	return &Invalid{
		What: fmt.Sprintf("%q is not a legal app name", name),
		Rule: "1 to 63 of a-z, 0-9 and -, neither first nor last a -",
	}
}

var configKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,254}$`)

// CheckConfigKey returns an error that states the rule if key is no legal name of an environment variable.
func CheckConfigKey(key string) error {
	if configKey.MatchString(key) {
		return nil
	}
	return &Invalid{
		What: fmt.Sprintf("%q is not a legal config key", key),
		Rule: "letters, digits and _, not starting with a digit, at most 255 characters",
	}
}

var domainName = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckDomain returns domain in lower case, or an error that states the rule.
func CheckDomain(domain string) (string, error) {
	d := strings.ToLower(strings.TrimSuffix(domain, "."))
	if len(d) > 253 || !domainName.MatchString(d) || strings.HasPrefix(d, "*") {
		return "", &Invalid{What: fmt.Sprintf("%q is not a legal domain", domain), Rule: "a host name like blog.example.com, without scheme, port or path"}
	}
	return d, nil
}

var branchPart = regexp.MustCompile(`^[A-Za-z0-9_@+=,-][A-Za-z0-9_.@+=,-]*$`)

// CheckBranch returns an error that states the rule if name cannot be a deploy
// branch: a branch as git allows it, in characters that every shell leaves alone.
func CheckBranch(name string) error {
	ok := len(name) <= 200 && !strings.HasPrefix(name, "-") && !strings.Contains(name, "..") && name != "@"
	for part := range strings.SplitSeq(name, "/") {
		ok = ok && branchPart.MatchString(part) && !strings.HasSuffix(part, ".lock") && !strings.HasSuffix(part, ".")
	}
	if ok {
		return nil
	}
	return &Invalid{What: fmt.Sprintf("%q is not a legal branch", name), Rule: "a name like production or release/1.x: letters, digits and _ . - /, no .. in it"}
}
