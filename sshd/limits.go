package sshd

import "time"

// Limits bound what clients can take from the server. A field that is zero
// has the default written beside it.
type Limits struct {
	// LoginGrace is how long a client may take to authenticate: 20 s, long
	// enough to type a passphrase or touch a security key. It is a timer of
	// the connection, because a deadline would be moved by each byte.
	LoginGrace time.Duration
	// PreAuth is how many connections may be unauthenticated at a time: 100,
	// as OpenSSH's MaxStartups ends. Each costs about 7 kB.
	PreAuth int
	// PreAuthPerAddr is the same for one address: 10, so that one client
	// cannot take all of PreAuth. An IPv6 address stands for its /64.
	PreAuthPerAddr int
	// ConnsPerAddr is how many connections one address may have in all: 50,
	// for an office or a CI farm behind one address.
	ConnsPerAddr int
	// LimitLoopback applies the limits per address and the back-off to
	// loopback addresses too. They are exempt by default: behind a local
	// forwarder everybody has that address.
	LimitLoopback bool
	// AuthTries is how many keys may fail on one connection: 6, as OpenSSH
	// has it; clients with a full agent need more than 3.
	AuthTries int
	// FreeFailures is how many connections of one address may fail to
	// authenticate before it is refused for a while: 10, because a person
	// who tries out keys is not an attack.
	FreeFailures int
	// Penalty is how long the first refusal lasts: 5 s. It doubles with each
	// further failure, up to PenaltyMax: 10 min. A login clears it.
	Penalty, PenaltyMax time.Duration
	// Sessions is how many channels may be open on one connection: 10, as
	// OpenSSH's MaxSessions.
	Sessions int
	// SessionsPerKey is how many commands one key may run at a time, over all
	// connections and addresses: 100, for a CI farm with one key.
	SessionsPerKey int
	// EnvVars is how many environment variables a session may set: 16, and
	// EnvBytes how long each may be: 4 KiB.
	EnvVars, EnvBytes int
	// CommandBytes is how long a command line may be: 128 KiB, what Linux
	// allows for one argument.
	CommandBytes int
	// KeepAlive is how long a client may be silent before it is asked for a
	// sign of life: 30 s, below the idle timeout of common NATs.
	KeepAlive time.Duration
	// KeepAliveMisses is how many such questions may stay without an answer
	// before the client counts as gone: 4. A silent build is not a silent
	// client, so nothing else ends a session for being idle.
	KeepAliveMisses int
}

func (l Limits) withDefaults() Limits {
	or(&l.LoginGrace, 20*time.Second)
	or(&l.PreAuth, 100)
	or(&l.PreAuthPerAddr, 10)
	or(&l.ConnsPerAddr, 50)
	or(&l.AuthTries, 6)
	or(&l.FreeFailures, 10)
	or(&l.Penalty, 5*time.Second)
	or(&l.PenaltyMax, 10*time.Minute)
	or(&l.Sessions, 10)
	or(&l.SessionsPerKey, 100)
	or(&l.EnvVars, 16)
	or(&l.EnvBytes, 4<<10)
	or(&l.CommandBytes, 128<<10)
	or(&l.KeepAlive, 30*time.Second)
	or(&l.KeepAliveMisses, 4)
	return l
}

func or[T int | time.Duration](field *T, def T) {
	if *field <= 0 {
		*field = def
	}
}
