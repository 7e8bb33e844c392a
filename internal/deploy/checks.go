package deploy

import (
	"hop3/detect"
	"hop3/internal/state"
	"hop3/procman"
)

// checkOf is a health check of the app's files as a release keeps it.
func checkOf(h detect.Health) state.Health {
	return state.Health{
		Path: h.Path, Interval: h.Interval, Timeout: h.Timeout, Retries: h.Retries, Command: h.Command,
		Listening: h.Listening, Uptime: h.Uptime, Content: h.Content, Delay: h.Delay, Wait: h.Wait, Headers: h.Headers,
	}
}

// health is a release's health check as procman sees it.
func health(h state.Health) procman.Health {
	return procman.Health{
		Path: h.Path, Interval: h.Interval, Timeout: h.Timeout, Retries: h.Retries, Command: h.Command,
		Listening: h.Listening, Uptime: h.Uptime, Content: h.Content, Delay: h.Delay, Wait: h.Wait, Headers: h.Headers,
	}
}

func healths(list []state.Health) []procman.Health {
	var out []procman.Health
	for _, h := range list {
		out = append(out, health(h))
	}
	return out
}
