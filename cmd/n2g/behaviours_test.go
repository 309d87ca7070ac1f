package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What explain prints of behaviours, run stores and find finds; where there are none to tell, that is said.
func TestBehaviours(t *testing.T) {
	printed := succeed(t, "explain", "-layer", "1", "-neuron", "343", "-masked", "tiny", "-ask", "0")
	for _, part := range []string{"\nbehaviours: 2, by 24 examples; separation 0.", "[ Output]:", "if i[ >] 0 {"} {
		if !strings.Contains(printed, part) {
			t.Errorf("explain lacks %q:\n%s", part, printed)
		}
	}
	without := succeed(t, "explain", "-layer", "1", "-neuron", "343", "-masked", "tiny", "-ask", "0", "-behaviours", "0")
	if strings.Contains(without, "behaviours") {
		t.Errorf("-behaviours 0 prints\n%s", without)
	}
	for _, n := range []string{"-1", "3", "1000000"} {
		status, _, message := call(t, "", "explain", "-layer", "1", "-neuron", "343", "-behaviours", n)
		if status != 1 || !strings.Contains(message, "-behaviours is "+n) {
			t.Errorf("-behaviours %s: %d %s", n, status, message)
		}
	}
	store := filepath.Join(t.TempDir(), "run.db")
	succeed(t, "run", "-layers", "1", "-neurons", "343,427", "-masked", "tiny", "-ask", "0", "-store", store)
	if found := succeed(t, "find", "polysemantic", "-store", store); !strings.Contains(found, "1/343") ||
		strings.Contains(found, "1/427") {
		t.Errorf("find polysemantic:\n%s", found)
	}
}
