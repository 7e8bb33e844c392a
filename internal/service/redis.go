package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
)

func redis() Kind {
	return Kind{
		Name: "redis", Title: "Valkey 8, which speaks Redis", Secret: "REDISCLI_AUTH", Variable: "REDIS_URL", Prefix: "REDIS", Format: "an RDB snapshot", Stopped: true,
		aliases: []string{"valkey", "heroku-redis", "heroku-key-value-store", "rediscloud"}, files: "redis",
		socket: func(int) string { return "redis.sock" },
		settings: func(_, password string, port int) map[string]string {
			return map[string]string{"REDISCLI_AUTH": password, "VALKEYCLI_AUTH": password, "REDIS_PORT": strconv.Itoa(port)}
		},
		address: func(l Login) *url.URL {
			return &url.URL{Scheme: "redis", User: url.UserPassword(l.User, l.Password), Host: host(l.Port), Path: "/0"}
		},
		parts: func(l Login) map[string]string {
			return map[string]string{"REDIS_HOST": loopback, "REDIS_PORT": strconv.Itoa(l.Port), "REDIS_USERNAME": l.User, "REDIS_PASSWORD": l.Password}
		},
		ask: askRedis,
	}
}

// askRedis pings the server as its administrator: one that still reads its data answers -LOADING.
func askRedis(_ context.Context, conn net.Conn, password string) error {
	if _, err := io.WriteString(conn, "AUTH "+password+"\r\nPING\r\n"); err != nil {
		return err
	}
	return readRedis(conn)
}

// readRedis reads the two answers.
func readRedis(r io.Reader) error {
	in := bufio.NewReader(io.LimitReader(r, maxAnswer))
	for _, want := range []string{"+OK", "+PONG"} {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		switch line = strings.TrimRight(line, "\r\n"); {
		case strings.HasPrefix(line, "-LOADING"):
			return errStarting
		case strings.HasPrefix(line, "-"):
			return errors.New(strings.TrimPrefix(line, "-"))
		case line != want:
			return fmt.Errorf("an answer %.40q", line)
		}
	}
	return nil
}
