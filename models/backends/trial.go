package backends

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// trialVar names the plugin that a process of its own tries; see [try].
const trialVar = "N2G_TRY_PJRT_PLUGIN"

// oldestAPI is the minor version of the oldest PJRT API that was seen to work.
const oldestAPI = 81

// trialTime is how long a plugin may take to say what it is. A cold disk reads the 300 MB of one in seconds.
const trialTime = 2 * time.Minute

// Plugin says what a PJRT plugin is, as it said itself when it was loaded.
type Plugin struct {
	Path     string `json:"path"`
	API      string `json:"api"`              // version of the PJRT API it speaks, such as 0.115
	Platform string `json:"platform"`         // cpu or cuda
	Devices  int    `json:"devices"`          // how many it can compute on
	Absent   string `json:"absent,omitempty"` // why it can compute on none, where its library is sound
	Error    string `json:"error,omitempty"`
}

// String is one line: version and devices.
func (p Plugin) String() string {
	if p.Absent != "" {
		return fmt.Sprintf("PJRT API %s, no device here (%s)", p.API, p.Absent)
	}
	devices := "devices"
	if p.Devices == 1 {
		devices = "device"
	}
	return fmt.Sprintf("PJRT API %s, %d %s", p.API, p.Devices, devices)
}

// A process started with trialVar set loads that plugin, runs a small program on it, says what it is, and ends.
func init() {
	path, ok := os.LookupEnv(trialVar)
	if !ok {
		return
	}
	os.Unsetenv(trialVar)
	say := func(p Plugin) { json.NewEncoder(os.Stdout).Encode(p) }
	p := Plugin{Path: path}
	defer os.Exit(0)
	defer func() {
		if e := recover(); e != nil {
			p.Error = fmt.Sprint(e)
			say(p)
		}
	}()
	if err := trial(&p, say); err != nil {
		p.Error = err.Error()
	}
	say(p)
}

// try loads a plugin in a process of its own, runs a small program on it, and returns what it says. A plugin that
// crashes ends only that process.
func try(ctx context.Context, path string) (Plugin, error) {
	self, err := os.Executable()
	if err != nil {
		return Plugin{}, fmt.Errorf("try a plugin: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, trialTime)
	defer cancel()
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), trialVar+"="+path)
	command.WaitDelay = time.Second
	output, err := command.Output()
	if ctx.Err() != nil {
		return Plugin{}, fmt.Errorf("the plugin %s did not answer in %v: %w", path, trialTime, ctx.Err())
	}
	var p Plugin
	lines := json.NewDecoder(bytes.NewReader(output))
	for lines.More() && lines.Decode(&p) == nil {
	}
	if p.Error != "" {
		return p, fmt.Errorf("the plugin %s cannot be used: %s", path, strings.Join(strings.Fields(p.Error), " "))
	}
	if err != nil || p.Platform == "" {
		return p, fmt.Errorf("the plugin %s crashed when it was loaded%s", path, crash(p, err))
	}
	return p, nil
}

// crash says how a process that tried a plugin ended, and why it may have.
func crash(p Plugin, err error) string {
	how := ""
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		how = " (" + exit.String() + ")"
		// XLA ends the process itself where it does not like its flags, and says so.
		if _, says, ok := strings.Cut(string(exit.Stderr), "] "); ok && exit.ExitCode() == 1 {
			says, _, _ = strings.Cut(says, "\n")
			how = ": " + says
		}
	}
	var major, minor int
	if n, _ := fmt.Sscanf(p.API, "%d.%d", &major, &minor); n == 2 && major == 0 && minor < oldestAPI {
		how += fmt.Sprintf(": it speaks PJRT API %s, and the oldest that works is 0.%d", p.API, oldestAPI)
	}
	return how
}

// tried keeps what plugins said, since asking takes a process each time.
var tried = map[string]Plugin{}

// verified returns what a plugin says it is: from the note that [Install] left beside it where the file is still the
// same, else by trying it.
func verified(ctx context.Context, path string) (Plugin, error) {
	if p, ok := tried[path]; ok {
		return p, nil
	}
	if p, ok := readNote(path); ok {
		return p, nil
	}
	p, err := try(ctx, path)
	if err == nil && p.Absent != "" {
		return p, fmt.Errorf("the plugin %s finds no device: %s", path, p.Absent)
	}
	if err == nil {
		tried[path] = p
	}
	return p, err
}

// kindByContent is what a plugin computes on, as it says itself.
func kindByContent(path string) string {
	p, _ := verified(context.Background(), path)
	return p.Platform
}

// note is what [Install] writes beside a plugin that it tried.
type note struct {
	Plugin
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
}

// writeNote records what a plugin said.
func writeNote(p Plugin) error {
	info, err := os.Stat(p.Path)
	if err != nil {
		return err
	}
	text, err := json.Marshal(note{p, info.Size(), info.ModTime()})
	if err != nil {
		return err
	}
	return os.WriteFile(p.Path+".json", text, 0o644)
}

// readNote returns what a plugin said when it was installed, where it has not changed since and had a device.
func readNote(path string) (Plugin, bool) {
	text, err := os.ReadFile(path + ".json")
	if err != nil {
		return Plugin{}, false
	}
	var n note
	info, err := os.Stat(path)
	if err != nil || json.Unmarshal(text, &n) != nil || n.Size != info.Size() || !n.Modified.Equal(info.ModTime()) ||
		n.Devices == 0 {
		return Plugin{}, false
	}
	return n.Plugin, true
}
