package kcl

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares JSON with a file of testdata.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s: got\n%swant\n%s", name, got, want)
	}
}

// The tables are those that KCL 3.1.3 itself creates (seen with DescribeTable), with the index.
func TestCreateInput(t *testing.T) {
	type key struct{ Name, Kind string }
	type table struct {
		Name        string
		BillingMode string
		Key         []key
		Attributes  []key
		Indexes     map[string][]key
		Projections map[string]string
	}
	var tables []table
	for _, in := range TablesOf("app").All() {
		request := in.CreateInput()
		out := table{Name: *request.TableName, BillingMode: string(request.BillingMode), Indexes: map[string][]key{}, Projections: map[string]string{}}
		keys := func(elements []ddb.KeySchemaElement) (keys []key) {
			for _, e := range elements {
				keys = append(keys, key{*e.AttributeName, string(e.KeyType)})
			}
			return keys
		}
		out.Key = keys(request.KeySchema)
		for _, a := range request.AttributeDefinitions {
			out.Attributes = append(out.Attributes, key{*a.AttributeName, string(a.AttributeType)})
		}
		for _, index := range request.GlobalSecondaryIndexes {
			out.Indexes[*index.IndexName] = keys(index.KeySchema)
			out.Projections[*index.IndexName] = string(index.Projection.ProjectionType)
		}
		tables = append(tables, out)
	}
	golden(t, "tables.json", tables)
}

// describe returns the description of a table that was just created.
func describe(in *dynamodb.CreateTableInput) *ddb.TableDescription {
	d := &ddb.TableDescription{TableName: in.TableName, KeySchema: in.KeySchema, AttributeDefinitions: in.AttributeDefinitions}
	for _, index := range in.GlobalSecondaryIndexes {
		d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, ddb.GlobalSecondaryIndexDescription{
			IndexName: index.IndexName, KeySchema: index.KeySchema, IndexStatus: ddb.IndexStatusActive,
		})
	}
	return d
}

func TestCheck(t *testing.T) {
	tables := TablesOf("app")
	for _, table := range tables.All() {
		if err := table.Check(describe(table.CreateInput())); err != nil {
			t.Errorf("own table: error %v, want none", err)
		}
	}
	tests := []struct {
		name   string
		change func(*ddb.TableDescription)
		ok     bool
	}{
		{"no index", func(d *ddb.TableDescription) { d.GlobalSecondaryIndexes = nil }, true},
		{"another index beside", func(d *ddb.TableDescription) {
			d.GlobalSecondaryIndexes = append(d.GlobalSecondaryIndexes, ddb.GlobalSecondaryIndexDescription{IndexName: aws.String("mine")})
		}, true},
		{"another key", func(d *ddb.TableDescription) { d.KeySchema[0].AttributeName = aws.String("id") }, false},
		{"a range key beside", func(d *ddb.TableDescription) {
			d.KeySchema = append(d.KeySchema, ddb.KeySchemaElement{AttributeName: aws.String(LeaseOwner), KeyType: ddb.KeyTypeRange})
		}, false},
		{"a number as key", func(d *ddb.TableDescription) { d.AttributeDefinitions[0].AttributeType = ddb.ScalarAttributeTypeN }, false},
		{"the index by another key", func(d *ddb.TableDescription) {
			d.GlobalSecondaryIndexes[0].KeySchema = d.GlobalSecondaryIndexes[0].KeySchema[:1]
		}, false},
	}
	for _, tt := range tests {
		d := describe(tables.Leases.CreateInput())
		tt.change(d)
		if err := tables.Leases.Check(d); (err == nil) != tt.ok || err != nil && (!errors.Is(err, ErrNotKCL) || !strings.Contains(err.Error(), "table app ")) {
			t.Errorf("%s: error %v, want one: %v", tt.name, err, !tt.ok)
		}
	}
}

func TestValidApplication(t *testing.T) {
	for name, want := range map[string]bool{
		"kclgosample": true, "a.b": true, strings.Repeat("x", 237): true,
		"ab": false, "a b c": false, "": false, strings.Repeat("x", 238): false,
	} {
		if ValidApplication(name) != want {
			t.Errorf("ValidApplication(%q) is %v, want %v", name, !want, want)
		}
	}
}
