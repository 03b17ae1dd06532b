package main

import (
	"context"
	"fmt"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// argocdHealth runs a health script under the conditions of Argo CD, with less than it gives: it opens the libraries base, table and a
// part of os in any case, and a script that needs none runs in each version.
func argocdHealth(file string, object *unstructured.Unstructured) (Verdict, error) {
	// Argo CD asks no script about an object that is being deleted.
	if object.GetDeletionTimestamp() != nil {
		return Verdict{Status: "Progressing", Message: "Pending deletion"}, nil
	}
	script, err := os.ReadFile(file)
	if err != nil {
		return Verdict{}, err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	// What Argo CD allows a script.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(string(script)); err != nil {
		return Verdict{}, fmt.Errorf("%s: %w", file, err)
	}
	if state.GetTop() == 0 {
		return Verdict{}, fmt.Errorf("%s returns nothing: a health script returns a table", file)
	}
	answer, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return Verdict{}, fmt.Errorf("%s returns a %s: a health script returns a table", file, state.Get(-1).Type())
	}
	return verdictOf(file, answer)
}

func verdictOf(file string, answer *lua.LTable) (Verdict, error) {
	health, isString := answer.RawGetString("status").(lua.LString)
	if !isString {
		return Verdict{}, fmt.Errorf("%s returns a table whose status is no string", file)
	}
	switch health {
	case "Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown":
	default:
		return Verdict{}, fmt.Errorf("%s returns the status %q, which Argo CD does not know", file, string(health))
	}
	message := answer.RawGetString("message")
	if message == lua.LNil {
		return Verdict{Status: string(health)}, nil
	}
	text, isString := message.(lua.LString)
	if !isString {
		return Verdict{}, fmt.Errorf("%s returns a message that is no string", file)
	}
	return Verdict{Status: string(health), Message: string(text)}, nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.CreateTable(len(value), 0)
		for _, item := range value {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for name, member := range value {
			table.RawSetString(name, toLua(state, member))
		}
		return table
	}
	return lua.LNil
}
