package serve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// object is a JSON object; encoding/json orders its keys.
type object = map[string]any

// describe writes the OpenAPI 3.1 document of operations, from the types that are read and written.
func describe(operations []operation, version string) ([]byte, error) {
	d := &describer{schemas: object{}, names: map[reflect.Type]string{}}
	paths := object{}
	for _, o := range operations {
		entry, ok := paths[o.path].(object)
		if !ok {
			entry = object{}
			paths[o.path] = entry
		}
		answer := func(description string, t reflect.Type) object {
			return object{"description": description, "content": object{"application/json": object{"schema": d.schema(t)}}}
		}
		about := object{
			"summary":     o.summary,
			"operationId": strings.ToLower(o.method) + strings.NewReplacer("/", "_", "{", "", "}", "", "-", "_").Replace(o.path),
			"responses": object{"200": answer("the answer", o.out),
				"default": answer("why there is none", reflect.TypeFor[Problem]())},
		}
		if parameters := d.parameters(o.in, o.method); len(parameters) > 0 {
			about["parameters"] = parameters
		}
		if o.method != http.MethodGet {
			about["requestBody"] = object{"required": true,
				"content": object{"application/json": object{"schema": d.schema(o.in)}}}
		}
		entry[strings.ToLower(o.method)] = about
	}
	if version == "" {
		version = "development"
	}
	text, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Neuron2Graph", "version": version,
			"description": "What the neurons of a language model do: activations, explanations, predictions, search.",
		},
		"servers":    []any{object{"url": apiPrefix}},
		"paths":      paths,
		"components": object{"schemas": d.schemas},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	return append(text, '\n'), nil
}

// describer makes JSON schemas of Go types.
type describer struct {
	schemas object // by name
	names   map[reflect.Type]string
}

func (d *describer) parameters(t reflect.Type, method string) []any {
	var list []any
	for i := range t.NumField() {
		field := t.Field(i)
		if field.Anonymous && method == http.MethodGet {
			list = append(list, d.parameters(field.Type, method)...)
			continue
		}
		place, name := "query", field.Tag.Get("query")
		if path := field.Tag.Get("path"); path != "" {
			place, name = "path", path
		}
		if name == "" {
			continue
		}
		p := object{"name": name, "in": place, "required": place == "path", "schema": d.schema(field.Type)}
		if doc := field.Tag.Get("doc"); doc != "" {
			p["description"] = doc
		}
		list = append(list, p)
	}
	return list
}

// schema returns that of a type; one of a named struct is a reference.
func (d *describer) schema(t reflect.Type) object {
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice, reflect.Array:
		return object{"type": []any{"array", "null"}, "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		name, ok := d.names[t]
		if !ok {
			name = t.Name()
			if _, taken := d.schemas[name]; taken || name == "" {
				name = strings.ToUpper(t.String()[:1]) + strings.ReplaceAll(t.String()[1:], ".", "")
			}
			d.names[t] = name
			d.schemas[name] = nil // so that a type may hold itself
			d.schemas[name] = d.fields(t)
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	return object{}
}

// fields is the schema of a struct, its embedded structs' fields among its own.
func (d *describer) fields(t reflect.Type) object {
	properties := object{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		for i := range t.NumField() {
			field := t.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if field.Anonymous && name == "" && field.Type.Kind() == reflect.Struct {
				add(field.Type)
				continue
			}
			if !field.IsExported() || name == "-" || name == "" {
				continue
			}
			s := d.schema(field.Type)
			if doc := field.Tag.Get("doc"); doc != "" && s["$ref"] == nil {
				s["description"] = doc
			}
			properties[name] = s
		}
	}
	add(t)
	return object{"type": "object", "properties": properties}
}
