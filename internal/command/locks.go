package command

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/pflag"

	"hop3/internal/state"
)

func lockCommands() []*Command {
	return []*Command{
		{Name: "apps:lock", Group: "apps", Usage: "[APP] [-m MESSAGE]", Short: "refuse pushes and changes until apps:unlock", Example: "apps:lock blog -m 'until the sale is over'", Role: state.Operate, App: OneApp, Exits: []int{ExitConflict}, Run: appsLock,
			Flags: func(f *pflag.FlagSet) { f.StringP("message", "m", "", "why") }},
		{Name: "apps:unlock", Group: "apps", Usage: "[APP]", Short: "end apps:lock", Role: state.Operate, App: OneApp, Exits: []int{ExitConflict}, Run: appsUnlock},
		{Name: "maintenance:on", Group: "routing", Usage: "[APP] [--message MESSAGE]", Short: "show visitors a page instead of the app, which runs on", Example: "maintenance:on blog --message 'Back at noon'", Role: state.Operate, App: OneApp, Exits: []int{ExitConflict}, Run: maintenanceOn,
			Flags: func(f *pflag.FlagSet) { f.StringP("message", "m", "", "what visitors read") }},
		{Name: "maintenance:off", Group: "routing", Usage: "[APP]", Short: "show visitors the app again", Role: state.Operate, App: OneApp, Exits: []int{ExitConflict}, Run: maintenanceOff},
		{Name: "git:set", Group: "routing", Usage: "[APP] deploy-branch|max-body|response-timeout [VALUE]", Short: "set the branch that deploys, or a limit of the router; without VALUE: the default", Example: "git:set blog deploy-branch production", Role: state.Operate, App: OneApp, Min: 1, Max: 2, Exits: []int{ExitConflict}, Run: gitSet},
	}
}

// message reads the flag --message: one line of text.
func (c *Call) message() (string, error) {
	text, err := c.Flags.GetString("message")
	if err != nil {
		return "", err
	}
	const most = 500 // more than fits on a visitor's page
	if len(text) > most || strings.ContainsFunc(text, unicode.IsControl) {
		return "", &state.Invalid{What: "that is not a message", Rule: "one line of at most 500 bytes"}
	}
	return text, nil
}

func appsLock(_ context.Context, c *Call) error {
	text, err := c.message()
	if err != nil {
		return err
	}
	if err := c.Pipeline.Lock(c.App, c.Who, text); err != nil {
		return err
	}
	c.say("-----> %s is locked: pushes and changes are refused until apps:unlock %s", c.App, c.App)
	return nil
}

func appsUnlock(_ context.Context, c *Call) error {
	if err := c.Pipeline.Unlock(c.App); err != nil {
		return err
	}
	c.say("-----> %s is not locked any more", c.App)
	return nil
}

func maintenanceOn(ctx context.Context, c *Call) error {
	text, err := c.message()
	if err != nil {
		return err
	}
	if err := c.Pipeline.SetMaintenance(ctx, c.request(), &state.Mark{By: c.Who, At: time.Now().UTC(), Message: text}); err != nil {
		return err
	}
	c.say("-----> Visitors of %s read a maintenance page; its processes run on", c.App)
	return nil
}

func maintenanceOff(ctx context.Context, c *Call) error {
	if err := c.Pipeline.SetMaintenance(ctx, c.request(), nil); err != nil {
		return err
	}
	c.say("=====> %s is open to visitors again", c.App)
	return nil
}
