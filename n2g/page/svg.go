package page

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"html/template"
	"io"
	"strings"
)

// inline returns an SVG as part of a page, written anew from what it means as XML: without the declaration, document
// type and comments of a file, and only if it is well formed and nothing but a picture. Whoever draws a graph escapes
// its tokens; this is the second lock, for a browser reads some well-formed XML otherwise than an XML parser does.
func inline(svg string) (template.HTML, error) {
	if strings.TrimSpace(svg) == "" {
		return "", nil
	}
	decoder := xml.NewDecoder(strings.NewReader(svg))
	var b strings.Builder
	var open []string
	for {
		t, err := decoder.RawToken() // raw, to keep the prefix of xlink:title
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("it is no well-formed SVG: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			name := qualified(t.Name)
			if len(open) == 0 && (name != "svg" || b.Len() > 0) {
				return "", fmt.Errorf("it is no SVG: <%s> stands where its one <svg> should", name)
			}
			if err := writeStart(&b, name, t.Attr); err != nil {
				return "", err
			}
			open = append(open, name)
		case xml.EndElement:
			name := qualified(t.Name)
			if len(open) == 0 || open[len(open)-1] != name {
				return "", fmt.Errorf("it is no well-formed SVG: </%s> closes nothing", name)
			}
			open = open[:len(open)-1]
			b.WriteString("</" + name + ">")
		case xml.CharData:
			if len(open) > 0 {
				b.WriteString(html.EscapeString(string(t)))
			}
		}
	}
	if len(open) > 0 || b.Len() == 0 {
		return "", errors.New("it is no SVG: it has no whole <svg> element")
	}
	return template.HTML(b.String()), nil
}

func qualified(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// drawing are the elements that only draw: they run, load and embed nothing.
var drawing = map[string]bool{
	"svg": true, "g": true, "a": true, "defs": true, "title": true, "desc": true, "style": true, "text": true,
	"tspan": true,
	"path":  true, "rect": true, "circle": true, "ellipse": true, "line": true, "polyline": true, "polygon": true,
	"linearGradient": true, "radialGradient": true, "stop": true, "clipPath": true, "marker": true, "pattern": true,
}

func writeStart(b *strings.Builder, name string, attributes []xml.Attr) error {
	if !drawing[name] {
		return fmt.Errorf("it holds a <%s>, which a picture does not need", name)
	}
	b.WriteString("<" + name)
	for _, a := range attributes {
		attribute := qualified(a.Name)
		local := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(local, "on") {
			return fmt.Errorf("it holds an attribute %s, which runs a script", attribute)
		}
		if target := strings.TrimSpace(a.Value); local == "href" && target != "" && !strings.HasPrefix(target, "#") {
			return fmt.Errorf("it holds a link to %q, which a page that stands alone must not", target)
		}
		b.WriteString(" " + attribute + `="` + html.EscapeString(a.Value) + `"`)
	}
	b.WriteString(">")
	return nil
}
