package page

import (
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// inline returns an SVG as part of a page: without the XML declaration and document type of a file, and only if it is
// well formed and nothing but a picture. Whoever draws a graph escapes its tokens; this is the second lock.
func inline(svg string) (template.HTML, error) {
	if strings.TrimSpace(svg) == "" {
		return "", nil
	}
	begin := strings.Index(svg, "<svg")
	if begin < 0 {
		return "", errors.New("it is no SVG: it has no <svg> element")
	}
	svg = svg[begin:]
	decoder := xml.NewDecoder(strings.NewReader(svg))
	depth := 0
	for {
		t, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return template.HTML(svg), nil
		}
		if err != nil {
			return "", fmt.Errorf("it is no well-formed SVG: %w", err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 && t.Name.Local != "svg" {
				return "", fmt.Errorf("it is no SVG: <%s> stands beside its <svg>", t.Name.Local)
			}
			depth++
			if err := harmless(t); err != nil {
				return "", err
			}
		case xml.EndElement:
			depth--
		case xml.Directive, xml.ProcInst:
			return "", errors.New("it holds a declaration after its beginning")
		}
	}
}

// active are the elements that load or run something, or leave SVG for HTML.
var active = map[string]bool{"script": true, "foreignobject": true, "iframe": true, "image": true, "use": true, "animate": true, "set": true, "handler": true}

func harmless(e xml.StartElement) error {
	if active[strings.ToLower(e.Name.Local)] {
		return fmt.Errorf("it holds a <%s>, which a picture does not need", e.Name.Local)
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(name, "on") {
			return fmt.Errorf("it holds an attribute %s, which runs a script", a.Name.Local)
		}
		if target := strings.TrimSpace(a.Value); name == "href" && target != "" && !strings.HasPrefix(target, "#") {
			return fmt.Errorf("it holds a link to %q, which a page that stands alone must not", target)
		}
	}
	return nil
}
