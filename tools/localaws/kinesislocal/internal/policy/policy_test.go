package policy

import (
	"strings"
	"testing"
)

const (
	streamARN   = "arn:aws:kinesis:us-east-1:111111111111:stream/s"
	consumerARN = streamARN + "/consumer/c:17"
	reader      = "222222222222"
)

// of returns a policy with a statement.
func of(statement string) string {
	return `{"Version": "2012-10-17", "Statement": [` + strings.ReplaceAll(statement, "ARN", streamARN) + `]}`
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const allowed = `{"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "kinesis:GetRecords", "Resource": "ARN"}`
	for _, c := range []struct {
		name, policy string
		want         Decision
	}{
		{"account", of(allowed), Allowed},
		{"one statement without a list", `{"Id": "i", "Statement": ` + strings.ReplaceAll(allowed, "ARN", streamARN) + `}`, Allowed},
		{"root", of(`{"Sid": "x", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::222222222222:root"]}, "Action": ["kinesis:ListShards", "KINESIS:getrecords"], "Resource": ["ARN"]}`), Allowed},
		{"role", of(`{"Effect": "Allow", "Principal": {"AWS": ["111111111111", "arn:aws-cn:iam::222222222222:role/path/r"]}, "Action": "kinesis:GetRecords", "Resource": "ARN"}`), Allowed},
		{"session", of(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:sts::222222222222:assumed-role/r/s"}, "Action": "kinesis:GetRecords", "Resource": "ARN"}`), Allowed},
		{"another action", of(`{"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "kinesis:ListShards", "Resource": "ARN"}`), NoMatch},
		{"another account", of(`{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::333333333333:user/222222222222"}, "Action": "kinesis:GetRecords", "Resource": "ARN"}`), NoMatch},
		{"denied before", of(strings.Replace(allowed, "Allow", "Deny", 1) + "," + allowed), Denied},
		{"denied after", of(allowed + "," + strings.Replace(allowed, "Allow", "Deny", 1)), Denied},
		{"another is denied", of(allowed + `,{"Effect": "Deny", "Principal": {"AWS": "333333333333"}, "Action": "kinesis:GetRecords", "Resource": "ARN"}`), Allowed},
	} {
		p, err := Parse(c.policy, streamARN)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := p.Decide(reader, "GetRecords"); got != c.want {
			t.Errorf("%s: decision %d, want %d", c.name, got, c.want)
		} else if p.String() != c.policy {
			t.Errorf("%s: String() = %s, want %s", c.name, p, c.policy)
		}
	}
	var none *Policy
	if got := none.Decide(reader, "GetRecords"); got != NoMatch || none.String() != "" {
		t.Errorf("no policy: %d, %q", got, none)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	statement := func(effect, principal, action, resource, more string) string {
		return of(`{"Effect": ` + effect + `, "Principal": ` + principal + `, "Action": ` + action + `, "Resource": ` + resource + more + `}`)
	}
	const effect, who, action, resource = `"Allow"`, `{"AWS": "222222222222"}`, `"kinesis:GetRecords"`, `"ARN"`
	for _, c := range []struct{ name, policy, want string }{
		{"nothing", "", "it is empty"},
		{"no JSON", "allow all", "invalid character"},
		{"no object", "[]", "cannot unmarshal"},
		{"null", "null", "no Statement"},
		{"two documents", statement(effect, who, action, resource, "") + "{}", "something follows"},
		{"no statement", `{"Version": "2012-10-17"}`, "no Statement"},
		{"no statement in the list", `{"Statement": []}`, "no Statement"},
		{"statement null", `{"Statement": [null]}`, "statement 1: the Effect"},
		{"another version", `{"Version": "2026-11-30", "Statement": []}`, "Version must be"},
		{"too large", strings.Repeat(" ", MaxBytes) + "{}", "20482 bytes"},
		{"unknown element", `{"Statements": []}`, `unknown field "Statements"`},
		{"Condition", statement(effect, who, action, resource, `, "Condition": {"StringEquals": {"aws:SourceAccount": "1"}}`), "does not evaluate a Condition"},
		{"NotAction", statement(effect, who, action, resource, `, "NotAction": "kinesis:GetRecords"`), `unknown field "NotAction"`},
		{"effect", statement(`"Permit"`, who, action, resource, ""), "Effect must be"},
		{"the second one", of(`{"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "kinesis:GetRecords", "Resource": "ARN"}, {}`), "statement 2: the Effect"},
		{"principal *", statement(effect, `"*"`, action, resource, ""), "wildcards are not supported"},
		{"principal AWS *", statement(effect, `{"AWS": "*"}`, action, resource, ""), "wildcards are not supported"},
		{"principal role *", statement(effect, `{"AWS": "arn:aws:iam::222222222222:role/*"}`, action, resource, ""), "wildcards are not supported"},
		{"principal of nobody", statement(effect, `{"AWS": []}`, action, resource, ""), "Principal must be"},
		{"principal null", statement(effect, `null`, action, resource, ""), "Principal must be"},
		{"service", statement(effect, `{"Service": "lambda.amazonaws.com"}`, action, resource, ""), `unknown field "Service"`},
		{"action *", statement(effect, who, `"*"`, resource, ""), "without wildcards"},
		{"action kinesis:Get*", statement(effect, who, `"kinesis:Get*"`, resource, ""), "without wildcards"},
		{"action of another service", statement(effect, who, `"s3:GetRecords"`, resource, ""), "is not an Action"},
		{"action that cannot be shared", statement(effect, who, `["kinesis:GetRecords", "kinesis:SplitShard"]`, resource, ""), "kinesis:SplitShard"},
		{"action of a consumer", statement(effect, who, `"kinesis:SubscribeToShard"`, resource, ""), "is not an Action"},
		{"no action", statement(effect, who, `[]`, resource, ""), "Action is missing"},
		{"action null", statement(effect, who, `null`, resource, ""), `"" is not an Action`},
		{"action number", statement(effect, who, `7`, resource, ""), "cannot unmarshal"},
		{"no resource", statement(effect, who, action, `[]`, ""), "Resource is missing"},
		{"resource *", statement(effect, who, action, `"*"`, ""), "is not the resource"},
		{"another resource", statement(effect, who, action, `["ARN", "ARN2"]`, ""), "is not the resource"},
	} {
		if p, err := Parse(c.policy, streamARN); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v, want %q", c.name, p, err, c.want)
		}
	}
}

// Streams and consumers have different actions.
func TestParseOfAConsumer(t *testing.T) {
	t.Parallel()
	for action, ok := range map[string]bool{"SubscribeToShard": true, "DescribeStreamConsumer": true, "GetRecords": false, "DescribeStreamSummary": false} {
		p, err := Parse(`{"Statement": {"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "kinesis:`+action+`", "Resource": "`+consumerARN+`"}}`, consumerARN)
		if (err == nil) != ok || p.Decide(reader, action) == Allowed != ok {
			t.Errorf("%s: error %v, want success %t", action, err, ok)
		}
	}
}

// A policy that Parse accepts allows only actions and accounts that it names.
func FuzzParse(f *testing.F) {
	f.Add(of(`{"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "kinesis:GetRecords", "Resource": "ARN"}`))
	f.Add(of(`{"Sid": "s", "Effect": "Deny", "Principal": {"AWS": ["arn:aws:iam::222222222222:root", "333333333333"]}, "Action": ["kinesis:PutRecord"], "Resource": ["ARN"], "Condition": {}}`))
	f.Add(`{"Id": null, "Version": "2008-10-17", "Statement": null}`)
	f.Add(`{"statement": {"effect": "Allow", "principal": {"aws": "222222222222"}, "action": "kinesis:listshards", "resource": "` + streamARN + `"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text, streamARN)
		if err != nil {
			if p != nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v, %v", p, err)
			}
			return
		}
		if p.String() != text {
			t.Fatalf("String() = %q, want %q", p, text)
		}
		for _, action := range append(streamActions, consumerActions...) {
			named := strings.Contains(strings.ToLower(text), "kinesis:"+strings.ToLower(action))
			if p.Decide(reader, action) == Allowed && !strings.ContainsRune(text, '\\') && (!named || !strings.Contains(text, reader)) {
				t.Fatalf("%s is allowed by %s", action, text)
			}
		}
		if p.Decide("999999999999", "SplitShard") != NoMatch {
			t.Fatalf("SplitShard is decided by %s", text)
		}
	})
}
