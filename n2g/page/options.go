package page

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// option is a line of the options table.
type option struct {
	Name, Value, Help string
	Changed           bool // from the published default
}

// options lists the constants that an Explanation was made with, named as in its JSON.
func options(o n2g.Options) []option {
	var list []option
	v := reflect.ValueOf(o)
	defaults := reflect.ValueOf(n2g.Options{}.Resolved())
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		value := v.Field(i)
		if name == "" || name == "-" || value.IsZero() {
			continue
		}
		list = append(list, option{
			Name:    name,
			Value:   optionValue(value),
			Help:    field.Tag.Get("help"),
			Changed: !reflect.DeepEqual(value.Interface(), defaults.Field(i).Interface()),
		})
	}
	return list
}

func optionValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		return optionValue(v.Elem())
	case reflect.Slice:
		words := make([]string, v.Len())
		for i := range words {
			words[i] = text(fmt.Sprint(v.Index(i)))
		}
		return strings.Join(words, " ")
	case reflect.Float64:
		return number(v.Float())
	}
	return text(fmt.Sprint(v))
}
