package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"hop3/internal/config"
)

// reloadable are the settings that SIGHUP changes in a running server.
var reloadable = []string{"admin_key", "autocreate", "min_free", "releases_kept", "user_ca", "principals"}

// obeySignals serves SIGHUP and SIGUSR2 until ctx ends.
func (s *server) obeySignals(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR2)
	go func() { // ends with ctx
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case sig := <-signals:
				if sig == syscall.SIGHUP {
					s.reload()
					continue
				}
				select {
				case s.upgrade <- struct{}{}:
				default: // one is on its way
				}
			}
		}
	}()
}

// reload reads the configuration again. What cannot be read, or cannot be
// changed without a restart, is said and left as it is.
func (s *server) reload() {
	c, err := config.Load(s.args)
	if err != nil {
		s.log.WithError(err).Error("the configuration was not reloaded")
		return
	}
	changed := changedKeys(s.c, c)
	for _, key := range changed {
		if !slices.Contains(reloadable, key) {
			s.log.Warnf("%s has changed: it counts from the next start on", key)
		}
	}
	s.c.AdminKey, s.c.Autocreate, s.c.MinFree, s.c.Releases = c.AdminKey, c.Autocreate, c.MinFree, c.Releases
	s.c.UserCA, s.c.Principals = c.UserCA, c.Principals
	if err := addAdmins(s.store, c.AdminKey); err != nil {
		s.log.WithError(err).Error("admin keys were not added")
	}
	if err := s.trust(c); err != nil {
		s.log.WithError(err).Error("the authorities of certificates stay as they were")
	}
	s.commands.SetAutocreate(c.Autocreate)
	s.pipeline.SetLimits(int64(c.MinFree), c.Releases)
	s.log.WithField("changed", strings.Join(changed, " ")).Info("configuration reloaded")
}

// changedKeys are the names, as in the file, of the settings that differ.
func changedKeys(old, now config.Config) []string {
	var keys []string
	a, b := reflect.ValueOf(old), reflect.ValueOf(now)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			keys = append(keys, a.Type().Field(i).Tag.Get("toml"))
		}
	}
	return keys
}

// notify tells systemd how the service does; see sd_notify(3). Elsewhere
// there is nobody to tell.
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if strings.HasPrefix(path, "@") { // Linux's abstract sockets
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // a datagram is sent or not
	_, err = conn.Write([]byte(state))
	return err
}
