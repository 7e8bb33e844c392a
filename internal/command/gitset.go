package command

import (
	"cmp"
	"context"
	"strings"
	"time"

	"hop3/internal/deploy"
	"hop3/internal/state"
)

// An appSetting is a key of git:set: it takes the value, "" for the default,
// and returns what has become of it as a sentence.
type appSetting struct {
	key string
	set func(ctx context.Context, c *Call, value string) (string, error)
}

var appSettings = []appSetting{
	{"deploy-branch", setDeployBranch},
	{"max-body", setMaxBody},
	{"response-timeout", setResponseTimeout},
}

func gitSet(ctx context.Context, c *Call) error {
	var keys []string
	for _, s := range appSettings {
		if s.key != c.Args[0] {
			keys = append(keys, s.key)
			continue
		}
		value := ""
		if len(c.Args) == 2 {
			value = c.Args[1]
		}
		done, err := s.set(ctx, c, value)
		if err == nil {
			c.say("-----> %s", done)
		}
		return err
	}
	return &state.NotFound{Kind: "git setting", Name: c.Args[0], Near: cmp.Or(state.Nearest(c.Args[0], keys), keys[0])}
}

func setDeployBranch(ctx context.Context, c *Call, value string) (string, error) {
	branch := strings.TrimPrefix(value, "refs/heads/")
	if branch != "" {
		if err := state.CheckBranch(branch); err != nil {
			return "", err
		}
	}
	err := c.Pipeline.SetDeployBranch(ctx, c.request(), branch)
	if branch == "" {
		branch = "main or master"
	}
	return "Pushes to " + branch + " deploy " + c.App, err
}

func setMaxBody(ctx context.Context, c *Call, value string) (string, error) {
	if value == "" {
		return "Requests to " + c.App + " may be of any size", c.Pipeline.SetMaxBody(ctx, c.request(), 0)
	}
	n, err := c.ParseSize(value)
	if err != nil || n == 0 {
		return "", &Usage{What: "max-body " + value + " is not a size", Mend: "write bytes or a unit: git:set " + c.App + " max-body 10MiB"}
	}
	return "Requests to " + c.App + " with more than " + deploy.BytesText(n) + " are refused", c.Pipeline.SetMaxBody(ctx, c.request(), n)
}

// maxResponseTimeout keeps a typing error from holding requests for days.
const maxResponseTimeout = 24 * time.Hour

func setResponseTimeout(ctx context.Context, c *Call, value string) (string, error) {
	if value == "" {
		return c.App + " may take a minute to begin an answer", c.Pipeline.SetResponseTimeout(ctx, c.request(), 0)
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Second || d > maxResponseTimeout {
		return "", &Usage{What: "response-timeout " + value + " is not a time between 1s and 24h", Mend: "like: git:set " + c.App + " response-timeout 5m"}
	}
	return c.App + " may take " + d.String() + " to begin an answer", c.Pipeline.SetResponseTimeout(ctx, c.request(), d)
}
