package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A service is kept and run as an app is. Its record is called by a name that no app can have, so that what works on apps
// finds services only where it asks for them.
const (
	servicePrefix = "service."
	servicesDir   = "services"
)

// ServiceApp is the name of the app that runs the service called name.
func ServiceApp(name string) string { return servicePrefix + name }

// A Service says what an app that is one gives to others.
type Service struct {
	Kind string `json:"kind"` // "postgres"
	Port int    `json:"port"` // on 127.0.0.1; kept as long as the service is

	// Owner is the user id of the app whose files asked for it; 0 if a person made it.
	Owner int `json:"owner,omitempty"`
}

// ServiceName is the name that people give to the service that a runs.
func (a *App) ServiceName() string { return strings.TrimPrefix(a.Name, servicePrefix) }

// An Attachment gives an app the use of a service. Its credentials are the value of Variable.
type Attachment struct {
	Service  string    `json:"service"`
	Variable string    `json:"variable"`
	User     string    `json:"user"`            // in the service
	Addon    string    `json:"addon,omitempty"` // what the app's own files call it; "" if a person attached it
	At       time.Time `json:"at"`
}

// Attachment finds the attachment of an app to a service.
func (a *App) Attachment(service string) (Attachment, bool) {
	i := slices.IndexFunc(a.Attached, func(t Attachment) bool { return t.Service == service })
	if i < 0 {
		return Attachment{}, false
	}
	return a.Attached[i], true
}

// CreateService makes a service without a release. A name in use is a [*Conflict].
func (s *Store) CreateService(name, by string, service Service, now time.Time) (*App, error) {
	if err := CheckAppName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app := ServiceApp(name)
	if s.apps[app] != nil {
		return nil, &Conflict{What: fmt.Sprintf("the service %s exists already", name), Mend: "take another name, or use that one: services:attach " + name + " APP"}
	}
	if d := s.damaged[app]; d != nil {
		return nil, d
	}
	return s.create(&App{Name: app, Created: now.UTC(), CreatedBy: by, Service: &service})
}

// Services returns the apps that run services, by name.
func (s *Store) Services() []*App { return s.list(func(a *App) bool { return a.Service != nil }) }

// Service returns the app that runs the service called name; its error is a [*NotFound].
func (s *Store) Service(name string) (*App, error) {
	a, err := s.App(ServiceApp(name))
	if err == nil || errors.As(err, new(*Damaged)) {
		return a, err
	}
	var names []string
	for _, a := range s.Services() {
		names = append(names, a.ServiceName())
	}
	return nil, &NotFound{Kind: "service", Name: name, Near: Nearest(name, names)}
}

// Users are the apps that a service is attached to.
func (s *Store) Users(service string) []*App {
	return s.list(func(a *App) bool { _, ok := a.Attachment(service); return ok })
}
