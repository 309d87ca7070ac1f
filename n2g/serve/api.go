package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"
)

// apiPrefix stands before every path of the API; its number changes when an answer changes its meaning.
const apiPrefix = "/api/v1"

// operation is a question that programs can ask.
type operation struct {
	method, path, summary string
	in, out               reflect.Type // structs; of a GET, in's fields are parameters
	costly                bool         // asks the model
	long                  bool         // may take longer than Limits.Time
	call                  func(ctx context.Context, in any) (any, error)
}

// op makes an operation of a function.
func op[In, Out any](method, path, summary string, f func(ctx context.Context, in *In) (*Out, error)) operation {
	return operation{
		method: method, path: path, summary: summary, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out](),
		call: func(ctx context.Context, in any) (any, error) { return f(ctx, in.(*In)) },
	}
}

func (o operation) asksModel() operation { o.costly = true; return o }
func (o operation) takesLong() operation { o.costly, o.long = true, true; return o }

// refusal is an error with its HTTP status.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// Problem is the answer to a request that was refused or failed.
type Problem struct {
	Error string `json:"error"` // one sentence
}

// fail writes a Problem.
func fail(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(Problem{reason}) // the client is gone, then
}

// answer writes an error as far as it may be known outside, and the rest into the log.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) {
	status, reason := s.explainError(r, err)
	fail(w, status, reason)
}

func (s *Server) explainError(r *http.Request, err error) (status int, reason string) {
	var refused *refusal
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		return refused.status, refused.reason
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "the answer took too long and was given up"
	case r.Context().Err() != nil:
		return 499, "the client is gone" // nobody reads it
	}
	s.o.Log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
	return http.StatusInternalServerError, "something went wrong here; the server's log says what"
}

// serveOperation answers one.
func (s *Server) serveOperation(o operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		in := reflect.New(o.in).Interface()
		var err error
		if o.method == http.MethodGet {
			err = readParameters(r, in)
		} else {
			err = readBody(r, in)
		}
		if err != nil {
			s.answer(w, r, err)
			return
		}
		ctx := r.Context()
		if !o.long {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, s.o.Limits.Time)
			defer cancel()
		}
		if o.costly {
			leave, err := s.enter(ctx)
			if err != nil {
				s.answer(w, r, err)
				return
			}
			defer leave()
		}
		out, err := o.call(ctx, in)
		if err != nil {
			s.answer(w, r, err)
			return
		}
		s.write(w, r, out)
	}
}

// write sends a value as JSON, whole or not at all.
func (s *Server) write(w http.ResponseWriter, r *http.Request, value any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(true)
	if err := encoder.Encode(value); err != nil {
		s.answer(w, r, fmt.Errorf("writing the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	// A client that does not read is not waited for.
	http.NewResponseController(w).SetWriteDeadline(
		time.Now().Add(s.o.Limits.Time)) // a test's recorder has none
	w.Write(
		b.Bytes()) // the client is gone, then
}

// readBody reads a JSON object and nothing after it.
func readBody(r *http.Request, in any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(in); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return err
		}
		if errors.Is(err, io.EOF) {
			return refuse(http.StatusBadRequest, "the request has no JSON object")
		}
		return refuse(http.StatusBadRequest, "the request is not what %s expects: %v", r.URL.Path, err)
	}
	if decoder.More() {
		return refuse(http.StatusBadRequest, "the request has more than one JSON value")
	}
	return nil
}

// readParameters fills a struct's fields that have a tag query or path.
func readParameters(r *http.Request, in any) error {
	query := r.URL.Query()
	known := map[string]bool{"token_": true}
	var fill func(v reflect.Value) error
	fill = func(v reflect.Value) error {
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.Anonymous {
				if err := fill(v.Field(i)); err != nil {
					return err
				}
				continue
			}
			name, text := field.Tag.Get("query"), ""
			if path := field.Tag.Get("path"); path != "" {
				name, text = path, r.PathValue(path)
			} else {
				known[name] = true
				if !query.Has(name) {
					continue
				}
				text = query.Get(name)
			}
			if text == "" && field.Tag.Get("path") == "" {
				continue // an empty field of a form chooses nothing
			}
			if err := set(v.Field(i), text); err != nil {
				return refuse(http.StatusBadRequest, "%s is %q: %v", name, cutText(text), err)
			}
		}
		return nil
	}
	return fill(reflect.ValueOf(in).Elem())
}

// set reads a parameter's text.
func set(v reflect.Value, text string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return errors.New("it is a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errors.New("it is a number")
		}
		v.SetFloat(f)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("it is true or false")
		}
		v.SetBool(b)
	default:
		return fmt.Errorf("a parameter is of kind %s", v.Kind())
	}
	return nil
}

// cutText shortens what is repeated in a sentence.
func cutText(text string) string {
	const most = 60
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
