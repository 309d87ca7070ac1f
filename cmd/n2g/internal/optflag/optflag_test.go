package optflag_test

import (
	"flag"
	"io"
	"reflect"
	"testing"

	"github.com/neuron2graph/neuron2graph/cmd/n2g/internal/optflag"
	"github.com/neuron2graph/neuron2graph/n2g"
)

type options struct {
	Steps *int     `flag:"steps" default:"100" help:"number of steps"`
	Rate  *float64 `flag:"rate" default:"0.5"`
	Name  string   `flag:"name"`
	Quick bool     `flag:"quick"`
	Count int      `flag:"count"`
	Seed  uint64   `flag:"seed"`
	Other []string
}

func TestApply(t *testing.T) {
	for _, test := range []struct {
		args []string
		base options
		want options
	}{
		{nil, options{Steps: new(3), Name: "preset"}, options{Steps: new(3), Name: "preset"}},
		{[]string{"-steps", "7", "-quick"}, options{Steps: new(3)}, options{Steps: new(7), Quick: true}},
		{[]string{"-quick=false", "-rate", "-1e-3"}, options{Quick: true}, options{Rate: new(-0.001)}},
		{[]string{"-name", "", "-count", "2", "-count", "4"}, options{Name: "preset"}, options{Count: 4}},
		{[]string{"-seed", "18446744073709551615"}, options{}, options{Seed: 1<<64 - 1}},
	} {
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		set := optflag.Add[options](fs)
		if err := fs.Parse(test.args); err != nil {
			t.Errorf("%q: %v", test.args, err)
			continue
		}
		got := test.base
		optflag.Apply(set, &got)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, want %+v", test.args, got, test.want)
		}
	}
}

// TestHelp: the help names the value.
func TestHelp(t *testing.T) {
	type options struct {
		Steps int    `flag:"steps" help:"number of steps"`
		Out   string `flag:"out" help:"FOLDER that gets it"`
		Mode  string `flag:"mode" help:"what to do"`
		Quick bool   `flag:"quick" help:"not all of it"`
	}
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	optflag.Add[options](fs)
	for name, want := range map[string][2]string{
		"steps": {"NUMBER", "NUMBER number of steps"},
		"out":   {"FOLDER", "FOLDER that gets it"},
		"mode":  {"NAME", "NAME what to do"},
		"quick": {"", "not all of it"},
	} {
		if value, help := flag.UnquoteUsage(fs.Lookup(name)); value != want[0] || help != want[1] {
			t.Errorf("-%s %q: %q, want %q", name, value, help, want)
		}
	}
}

func TestBadValues(t *testing.T) {
	for _, args := range [][]string{{"-steps", "x"}, {"-steps", "1.5"}, {"-rate", "NaN"}, {"-quick=maybe"},
		{"-seed", "-1"}, {"-none", "1"}} {
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		optflag.Add[options](fs)
		if err := fs.Parse(args); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

// TestMethodOptions: every option of the method that has a default has a flag which shows it.
func TestMethodOptions(t *testing.T) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	set := optflag.Add[n2g.Options](fs)
	for _, name := range set.Names() {
		if f := fs.Lookup(name); f.Usage == "" {
			t.Errorf("flag -%s has no help", name)
		}
	}
	for _, name := range []string{"importance-threshold", "activation-threshold", "strong-threshold", "fire-threshold",
		"substitutes",
		"cutoff", "skip-interval", "post-context", "proportion-threshold", "seed"} {
		if f := fs.Lookup(name); f == nil || f.DefValue == "" {
			t.Errorf("no flag -%s with a default", name)
		}
	}
}
