package hub

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// DefaultEndpoint is the hub where neither [Options] nor HF_ENDPOINT names another.
const DefaultEndpoint = "https://huggingface.co"

// Options say where models come from and lie. What is left empty is taken from the environment, as Python's
// huggingface_hub takes it.
type Options struct {
	// Endpoint is the hub's address: HF_ENDPOINT, else [DefaultEndpoint].
	Endpoint string
	// Cache is the folder of all repositories: HF_HUB_CACHE, else hub in HF_HOME, which is huggingface in XDG_CACHE_HOME
	// or in .cache of the home folder.
	Cache string
	// Token opens private and gated repositories: HF_TOKEN, else what stands in the file HF_TOKEN_PATH or HF_HOME/token.
	Token string
	// Offline keeps from the network, as HF_HUB_OFFLINE does.
	Offline bool
	// Transport carries the requests; nil is one like http.DefaultTransport.
	Transport http.RoundTripper
	// Attempts is how often in a row a request may fail without getting any further; 0 is 5.
	Attempts int
	// Backoff is the pause after the first failure; each further one doubles it. 0 is half a second.
	Backoff time.Duration
	// Stall is how long an answer may send nothing before it counts as broken; 0 is 30 seconds.
	Stall time.Duration
}

// filled is o with defaults where it is empty.
func (o Options) filled() (Options, error) {
	home := huggingFaceHome()
	if o.Endpoint == "" {
		o.Endpoint = firstSet(DefaultEndpoint, "HF_ENDPOINT")
	}
	o.Endpoint = strings.TrimRight(o.Endpoint, "/")
	address, err := url.Parse(o.Endpoint)
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Host == "" {
		return o, fmt.Errorf("%q is no address of a hub: set HF_ENDPOINT to one like %s", o.Endpoint, DefaultEndpoint)
	}
	if o.Cache == "" {
		o.Cache = withHome(firstSet("", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"))
	}
	if o.Cache == "" {
		if home == "" {
			return o, errors.New("no folder for models is known: set HF_HOME to one")
		}
		o.Cache = filepath.Join(home, "hub")
	}
	if o.Token == "" {
		o.Token = firstSet("", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
	}
	if o.Token == "" && !isOn("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
		// A token that cannot be read is none: most repositories open without one, and the others say what they need.
		text, _ := os.ReadFile(withHome(firstSet(filepath.Join(home, "token"), "HF_TOKEN_PATH")))
		o.Token = string(text)
	}
	if o.Token = strings.TrimSpace(o.Token); strings.ContainsAny(o.Token, "\r\n") {
		return o, errors.New("the hub's token holds a line break: set HF_TOKEN to the token alone")
	}
	o.Offline = o.Offline || isOn("HF_HUB_OFFLINE") || isOn("TRANSFORMERS_OFFLINE")
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.Backoff == 0 {
		o.Backoff = time.Second / 2
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	return o, nil
}

// huggingFaceHome is the folder of everything that Hugging Face's libraries keep, empty if the user has no home.
func huggingFaceHome() string {
	if home := firstSet("", "HF_HOME"); home != "" {
		return withHome(home)
	}
	if cache := firstSet("", "XDG_CACHE_HOME"); cache != "" {
		return filepath.Join(withHome(cache), "huggingface")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface")
}

// firstSet is the first of the environment variables that is not empty, else fallback.
func firstSet(fallback string, names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return fallback
}

// isOn reads a switch as huggingface_hub does.
func isOn(name string) bool {
	switch strings.ToUpper(os.Getenv(name)) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// withHome puts the home folder in place of a leading ~.
func withHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok || rest != "" && !os.IsPathSeparator(rest[0]) {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}
