package service

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
)

func postgres() Kind {
	return Kind{
		Name: "postgres", Title: "PostgreSQL 17", Secret: "PGPASSWORD", Variable: "DATABASE_URL", Prefix: "POSTGRESQL", Format: "pg_dump's custom format",
		aliases: []string{"postgresql", "heroku-postgresql"}, files: "postgres",
		socket: func(port int) string { return ".s.PGSQL." + strconv.Itoa(port) },
		settings: func(name, password string, port int) map[string]string {
			return map[string]string{"PGUSER": "postgres", "PGPASSWORD": password, "PGDATABASE": name, "PGPORT": strconv.Itoa(port)}
		},
		address: func(l Login) *url.URL {
			return &url.URL{Scheme: "postgres", User: url.UserPassword(l.User, l.Password), Host: host(l.Port), Path: "/" + l.Service, RawQuery: "sslmode=disable"}
		},
		parts: func(l Login) map[string]string {
			return map[string]string{"PGHOST": loopback, "PGPORT": strconv.Itoa(l.Port), "PGUSER": l.User, "PGPASSWORD": l.Password, "PGDATABASE": l.Service}
		},
		ask: askPostgres,
	}
}

const loopback = "127.0.0.1"

func host(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// errStarting is said by a server that is not ready.
var errStarting = errors.New("it is starting, stopping or recovering")

// askPostgres begins a session and looks at the first answer, as pg_isready does: a server that asks for a password takes
// sessions (PostgreSQL's manual, 53.2.1).
func askPostgres(_ context.Context, conn net.Conn, _ string) error {
	const protocol = 3 << 16
	body := binary.BigEndian.AppendUint32(nil, protocol)
	body = append(body, "user\x00postgres\x00database\x00postgres\x00\x00"...)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)); err != nil {
		return err
	}
	return readPostgres(conn)
}

// maxAnswer bounds what is read of a server's first answer.
const maxAnswer = 64 << 10

// readPostgres reads the first message of a session: 'R', a question for the password, or 'E' with fields of a letter and a
// text each.
func readPostgres(r io.Reader) error {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > maxAnswer {
		return fmt.Errorf("an answer of %d bytes", n)
	}
	body := make([]byte, n-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	switch head[0] {
	case 'R':
		return nil
	case 'E':
		for field := range bytes.SplitSeq(body, []byte{0}) {
			if string(field) == "C57P03" { // cannot_connect_now
				return errStarting
			}
			if len(field) > 0 && field[0] == 'M' {
				return fmt.Errorf("%.200q", field[1:])
			}
		}
	}
	return fmt.Errorf("an answer of type %q", head[0])
}
