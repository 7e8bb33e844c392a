package certs

import (
	"github.com/sirupsen/logrus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapLogger writes what certmagic warns of to log.
func zapLogger(log logrus.FieldLogger) *zap.Logger {
	return zap.New(&logCore{LevelEnabler: zapcore.WarnLevel, log: log})
}

// A logCore is a zapcore.Core on top of logrus.
type logCore struct {
	zapcore.LevelEnabler
	log logrus.FieldLogger
}

// With returns a core whose lines have the fields.
func (c *logCore) With(fields []zapcore.Field) zapcore.Core {
	return &logCore{c.LevelEnabler, c.log.WithFields(plainFields(fields))}
}

// Check adds the core to those that write the entry, if its level is enabled.
func (c *logCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write writes one line.
func (c *logCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	log := c.log.WithFields(plainFields(fields))
	if e.Level >= zapcore.ErrorLevel {
		log.Error("acme: " + e.Message)
	} else {
		log.Warn("acme: " + e.Message)
	}
	return nil
}

// Sync has nothing to do.
func (c *logCore) Sync() error { return nil }

func plainFields(fields []zapcore.Field) logrus.Fields {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	return enc.Fields
}
