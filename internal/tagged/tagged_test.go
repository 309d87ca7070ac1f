package tagged_test

import (
	"reflect"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
)

type options struct {
	Steps *int     `default:"100"`
	Rate  float64  `default:"0.5"`
	Limit *float64 // none
	Name  string   `default:"tiny"`
	Seed  uint64   `default:"7"`
	Quick bool
}

func TestFill(t *testing.T) {
	o := options{Rate: 2, Quick: true}
	tagged.Fill(&o)
	if want := (options{Steps: new(100), Rate: 2, Name: "tiny", Seed: 7, Quick: true}); !reflect.DeepEqual(o, want) {
		t.Errorf("%+v, want %+v", o, want)
	}
	var plain struct {
		Steps int
		Limit *float64
		Rate  float64
	}
	tagged.Plain(&o, &plain)
	if plain.Steps != 100 || plain.Limit != nil || plain.Rate != 2 {
		t.Errorf("%+v", plain)
	}
}

func TestSet(t *testing.T) {
	for text, to := range map[string]any{"x": new(int), "1.5": new(int), "-1": new(uint64), "NaN": new(float64),
		"": new(float64), "maybe": new(bool)} {
		if err := tagged.Set(reflect.ValueOf(to).Elem(), text); err == nil {
			t.Errorf("%q is a %T", text, to)
		}
	}
	if err := tagged.Set(reflect.ValueOf(new([]int)).Elem(), "1"); err == nil {
		t.Error("a slice can be written")
	}
}
