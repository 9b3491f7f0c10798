package differential

import (
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// tableScripts send calls to the DynamoDB of a session.
var tableScripts = []struct {
	name string
	run  func(*tableSession)
}{
	{"tables", tables},
	{"tables that are refused", refusedTables},
	{"a table of KCL", tableOfKCL},
	{"values", values},
	{"numbers", numbers},
	{"conditions", conditions},
	{"updates", updates},
	{"updates that are refused", refusedUpdates},
	{"projections", projections},
	{"legacy writes", legacyWrites},
	{"legacy reads", legacyReads},
	{"queries", queries},
	{"indexes", indexes},
	{"index capacity", indexCapacity},
	{"scans", scans},
	{"batches", batches},
	{"transactions", transactions},
	{"settings", settings},
	{"returns", returns},
}

func hash(name string, typ ddb.ScalarAttributeType) ([]ddb.KeySchemaElement, []ddb.AttributeDefinition) {
	return []ddb.KeySchemaElement{{AttributeName: &name, KeyType: ddb.KeyTypeHash}},
		[]ddb.AttributeDefinition{{AttributeName: &name, AttributeType: typ}}
}

// used returns the names or values that an expression contains, nil for none. Unused ones
// would be an error.
func used[V any](expression string, of map[string]V) (has map[string]V) {
	for k, v := range of {
		if strings.Contains(expression, k) {
			if has == nil {
				has = make(map[string]V)
			}
			has[k] = v
		}
	}
	return has
}

func tables(s *tableSession) {
	keys, attributes := hash("id", "S")
	in := &dynamodb.CreateTableInput{
		TableName: aws.String("provisioned"), KeySchema: keys, AttributeDefinitions: attributes,
		ProvisionedThroughput: &ddb.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(2), WriteCapacityUnits: aws.Int64(3)},
	}
	_, err := s.CreateTable(s.ctx, in)
	s.keep("create provisioned", err)
	s.settled("provisioned")
	_, err = s.CreateTable(s.ctx, in)
	s.keep("create again", err)
	_, err = s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: in.TableName})
	s.keep("describe", err)
	_, err = s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: in.TableName, BillingMode: ddb.BillingModePayPerRequest})
	s.keep("to on demand", err)
	s.settled("provisioned")
	s.table("tables-b", true)
	s.table("tables-a", false)
	_, err = s.ListTables(s.ctx, &dynamodb.ListTablesInput{ExclusiveStartTableName: aws.String("t"), Limit: aws.Int32(1)})
	s.keep("list from a short name", err)
	_, err = s.ListTables(s.ctx, &dynamodb.ListTablesInput{ExclusiveStartTableName: aws.String("ta."), Limit: aws.Int32(1)})
	s.keep("list, first page", err)
	_, err = s.ListTables(s.ctx, &dynamodb.ListTablesInput{ExclusiveStartTableName: aws.String("tables-a"), Limit: aws.Int32(1)})
	s.keep("list, last page", err)
	_, err = s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: aws.String("tables-b")})
	s.keep("describe on demand, with a range key", err)
	absent := aws.String("absent")
	_, err = s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: absent})
	s.keep("describe what is not there", err)
	_, err = s.DeleteTable(s.ctx, &dynamodb.DeleteTableInput{TableName: absent})
	s.keep("delete what is not there", err)
	_, err = s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: absent, Key: item{"id": str("a")}})
	s.keep("get from what is not there", err)
	_, err = s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: absent, Item: item{"id": str("a")}})
	s.keep("put into what is not there", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: absent})
	s.keep("scan what is not there", err)
	for _, name := range []string{"provisioned", "tables-a", "tables-b"} {
		_, err = s.DeleteTable(s.ctx, &dynamodb.DeleteTableInput{TableName: &name})
		s.keep("delete "+name, err)
	}
	_, err = s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: aws.String("tables-b")})
	s.keep("describe what was deleted", err)
}

func refusedTables(s *tableSession) {
	keys, attributes := hash("id", "S")
	one := &ddb.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(1), WriteCapacityUnits: aws.Int64(1)}
	for name, in := range map[string]*dynamodb.CreateTableInput{
		"a short name":             {TableName: aws.String("ab"), KeySchema: keys, AttributeDefinitions: attributes, BillingMode: "PAY_PER_REQUEST"},
		"no throughput":            {TableName: aws.String("refused"), KeySchema: keys, AttributeDefinitions: attributes},
		"throughput on demand":     {TableName: aws.String("refused"), KeySchema: keys, AttributeDefinitions: attributes, BillingMode: "PAY_PER_REQUEST", ProvisionedThroughput: one},
		"an attribute without use": {TableName: aws.String("refused"), KeySchema: keys, AttributeDefinitions: append(attributes, ddb.AttributeDefinition{AttributeName: aws.String("x"), AttributeType: "S"}), BillingMode: "PAY_PER_REQUEST"},
		"a key without attribute":  {TableName: aws.String("refused"), KeySchema: keys, AttributeDefinitions: []ddb.AttributeDefinition{{AttributeName: aws.String("x"), AttributeType: "S"}}, BillingMode: "PAY_PER_REQUEST"},
		"no indexes":               {TableName: aws.String("refused"), KeySchema: keys, AttributeDefinitions: attributes, BillingMode: "PAY_PER_REQUEST", GlobalSecondaryIndexes: []ddb.GlobalSecondaryIndex{}},
	} {
		_, err := s.CreateTable(s.ctx, in)
		s.keep(name, err)
	}
}

func tableOfKCL(s *tableSession) {
	name := aws.String("kcl")
	keys, attributes := hash("leaseKey", "S")
	_, err := s.CreateTable(s.ctx, &dynamodb.CreateTableInput{
		TableName: name, KeySchema: keys, AttributeDefinitions: attributes, BillingMode: "PAY_PER_REQUEST",
		DeletionProtectionEnabled: aws.Bool(true), Tags: []ddb.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})
	s.keep("create", err)
	s.settled(*name)
	out, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: name})
	s.keep("describe", err)
	_, err = s.ListTagsOfResource(s.ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: out.Table.TableArn})
	s.keep("tags", err)
	lease := func(key string) item {
		return item{"leaseKey": str(key), "leaseCounter": num("0"), "ownerSwitchesSinceCheckpoint": num("0"), "checkpoint": str("TRIM_HORIZON"), "checkpointSubSequenceNumber": num("0")}
	}
	key := item{"leaseKey": str("shardId-000000000000")}
	first := &dynamodb.PutItemInput{TableName: name, Item: lease("shardId-000000000000"), Expected: map[string]ddb.ExpectedAttributeValue{"leaseKey": {Exists: aws.Bool(false)}}}
	_, err = s.PutItem(s.ctx, first)
	s.keep("first lease", err)
	_, err = s.PutItem(s.ctx, first)
	s.keep("first lease again", err)
	take := &dynamodb.UpdateItemInput{
		TableName: name, Key: key, ReturnValues: ddb.ReturnValueAllNew,
		Expected: map[string]ddb.ExpectedAttributeValue{"leaseCounter": {Value: num("0")}, "leaseOwner": {Exists: aws.Bool(false)}},
		AttributeUpdates: map[string]ddb.AttributeValueUpdate{
			"leaseCounter": {Action: "PUT", Value: num("1")}, "leaseOwner": {Action: "PUT", Value: str("worker-1")},
			"ownerSwitchesSinceCheckpoint": {Action: "ADD", Value: num("1")}, "checkpointOwner": {Action: "DELETE"},
		},
	}
	_, err = s.UpdateItem(s.ctx, take)
	s.keep("take", err)
	_, err = s.UpdateItem(s.ctx, take)
	s.keep("take what is taken", err)
	take.ReturnValuesOnConditionCheckFailure = "ALL_OLD"
	_, err = s.UpdateItem(s.ctx, take)
	s.keep("take what is taken, with the old item", err)
	_, err = s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
		TableName: name, Key: key,
		Expected:         map[string]ddb.ExpectedAttributeValue{"leaseCounter": {Value: num("1"), Exists: aws.Bool(true)}, "leaseOwner": {Value: str("worker-1"), Exists: aws.Bool(true)}},
		AttributeUpdates: map[string]ddb.AttributeValueUpdate{"leaseCounter": {Action: "PUT", Value: num("2")}, "parentShardId": {Action: "PUT", Value: set("a", "b")}},
	})
	s.keep("renew", err)
	_, err = s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{
		TableName: name,
		AttributeDefinitions: []ddb.AttributeDefinition{
			{AttributeName: aws.String("leaseOwner"), AttributeType: "S"}, {AttributeName: aws.String("leaseKey"), AttributeType: "S"},
		},
		GlobalSecondaryIndexUpdates: []ddb.GlobalSecondaryIndexUpdate{{Create: &ddb.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String("LeaseOwnerToLeaseKeyIndex"), Projection: &ddb.Projection{ProjectionType: "KEYS_ONLY"},
			KeySchema: []ddb.KeySchemaElement{{AttributeName: aws.String("leaseOwner"), KeyType: "HASH"}, {AttributeName: aws.String("leaseKey"), KeyType: "RANGE"}},
		}}},
	})
	s.keep("add the index", err)
	s.settled(*name)
	_, err = s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: name})
	s.keep("describe with the index", err)
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{
		TableName: name, IndexName: aws.String("LeaseOwnerToLeaseKeyIndex"), KeyConditionExpression: aws.String("leaseOwner = :leaseOwner"),
		ExpressionAttributeValues: item{":leaseOwner": str("worker-1")},
	})
	s.keep("leases of a worker", err)
	leader := &dynamodb.PutItemInput{
		TableName: name, Item: item{"leaseKey": str("Leader"), "ownerName": str("w"), "recordVersionNumber": str("1"), "leaseDuration": str("120000")},
		ConditionExpression: aws.String("attribute_not_exists(#pk)"), ExpressionAttributeNames: map[string]string{"#pk": "leaseKey"},
	}
	_, err = s.PutItem(s.ctx, leader)
	s.keep("leader", err)
	_, err = s.PutItem(s.ctx, leader)
	s.keep("a second leader", err)
	beat := &dynamodb.UpdateItemInput{
		TableName: name, Key: item{"leaseKey": str("Leader")}, UpdateExpression: aws.String("SET #ld = :ld, #rvn = :newRvn"),
		ConditionExpression:      aws.String("attribute_exists(#pk) AND #rvn = :rvn AND #on = :on"),
		ExpressionAttributeNames: map[string]string{"#pk": "leaseKey", "#ld": "leaseDuration", "#rvn": "recordVersionNumber", "#on": "ownerName"},
		ExpressionAttributeValues: item{
			":ld": str("120000"), ":newRvn": str("2"), ":rvn": str("1"), ":on": str("w"),
		},
	}
	_, err = s.UpdateItem(s.ctx, beat)
	s.keep("heartbeat", err)
	_, err = s.UpdateItem(s.ctx, beat)
	s.keep("heartbeat of an old version", err)
	_, err = s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
		TableName: name, Key: item{"leaseKey": str("w")}, ReturnValues: "ALL_NEW",
		UpdateExpression:          aws.String("SET #AMZN_MAPPED_lut = :AMZN_MAPPED_lut, #AMZN_MAPPED_sts = :AMZN_MAPPED_sts"),
		ExpressionAttributeNames:  map[string]string{"#AMZN_MAPPED_lut": "lut", "#AMZN_MAPPED_sts": "sts"},
		ExpressionAttributeValues: item{":AMZN_MAPPED_lut": num("1700000000"), ":AMZN_MAPPED_sts": mp(item{"C": lst(num("0.5"), num("-1"))})},
	})
	s.keep("worker metrics", err)
	_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: name, Key: key, Expected: map[string]ddb.ExpectedAttributeValue{"leaseKey": {Value: str("other")}}})
	s.keep("delete with a wrong expectation", err)
	_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: name, Key: key, Expected: map[string]ddb.ExpectedAttributeValue{"leaseKey": {Value: str("shardId-000000000000")}}, ReturnValues: "ALL_OLD"})
	s.keep("delete", err)
	_, err = s.DeleteTable(s.ctx, &dynamodb.DeleteTableInput{TableName: name})
	s.keep("delete a protected table", err)
	_, err = s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: name, DeletionProtectionEnabled: aws.Bool(false)})
	s.keep("unprotect", err)
	s.settled(*name)
	_, err = s.DeleteTable(s.ctx, &dynamodb.DeleteTableInput{TableName: name})
	s.keep("delete the table", err)
}

func values(s *tableSession) {
	t := s.table("values", false)
	all := item{
		"id": str("all"), "n": num("1"), "b": &ddb.AttributeValueMemberB{Value: []byte{0, 255}}, "bool": &ddb.AttributeValueMemberBOOL{Value: false},
		"null": &ddb.AttributeValueMemberNULL{Value: true}, "ss": set("b", "a"), "ns": nums("2", "10"), "bs": &ddb.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}},
		"l": lst(str("x"), lst(), mp(item{})), "m": mp(item{"k": mp(item{"deep": num("3")})}), "empty": str(""), "unicode": str("ü😀"),
	}
	_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: t, Item: all})
	s.keep("put all types", err)
	_, err = s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: t, Key: item{"id": str("all")}, ConsistentRead: aws.Bool(true)})
	s.keep("get all types", err)
	_, err = s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: t, Key: item{"id": str("none")}})
	s.keep("get nothing", err)
	for name, it := range map[string]item{
		"no key":                {"x": str("a")},
		"a key of numbers":      {"id": num("1")},
		"an empty key":          {"id": str("")},
		"an empty set":          {"id": str("a"), "s": set()},
		"a set with twins":      {"id": str("a"), "s": set("x", "x")},
		"400 KB":                {"id": str("a"), "x": str(strings.Repeat("x", 400<<10))},
		"a number that is none": {"id": str("a"), "x": num("one")},
	} {
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: t, Item: it})
		s.keep("put "+name, err)
	}
	for name, key := range map[string]item{
		"of another name": {"x": str("a")}, "with more": {"id": str("a"), "x": str("a")}, "of another type": {"id": num("1")},
	} {
		_, err := s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: t, Key: key})
		s.keep("get a key "+name, err)
	}
}

func numbers(s *tableSession) {
	t := s.table("numbers", true)
	for i, n := range []string{
		"0", "-0", "00012.500", "1e3", "12345678901234567890123456789012345678", "-1.5", "0.00001", "9.9999999999999999999999999999999999999E+125",
		"123456789012345678901234567890123456789", "1E+126", "1E-131", "abc", "",
	} {
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: t, Item: item{"id": str("put"), "seq": num(fmt.Sprint(i)), "n": num(n)}})
		s.keep(fmt.Sprintf("put %q", n), err)
		_, err = s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: t, Key: item{"id": str("put"), "seq": num(fmt.Sprint(i))}})
		s.keep(fmt.Sprintf("get %q", n), err)
	}
	for _, n := range []string{"10", "9", "-10", "-9", "0.5", "-0.5", "0", "1e2"} {
		s.put(t, item{"id": str("order"), "seq": num(n)})
	}
	_, err := s.Query(s.ctx, &dynamodb.QueryInput{TableName: t, KeyConditionExpression: aws.String("id = :i"), ExpressionAttributeValues: item{":i": str("order")}})
	s.keep("order of range keys", err)
	_, err = s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
		TableName: t, Key: item{"id": str("put"), "seq": num("4")}, UpdateExpression: aws.String("ADD n :one SET m = n + :one, d = n - :one"),
		ExpressionAttributeValues: item{":one": num("1")}, ReturnValues: "ALL_NEW",
	})
	s.keep("add to 38 digits", err)
}

func conditions(s *tableSession) {
	t := s.table("conditions", false)
	s.put(t, item{
		"id": str("a"), "n": num("5"), "s": str("hello"), "ss": set("x", "y"), "ns": nums("1", "2"), "l": lst(str("x"), num("1")),
		"m": mp(item{"k": str("v")}), "yes": &ddb.AttributeValueMemberBOOL{Value: true},
	})
	vals := item{
		":five": num("5"), ":six": num("6"), ":four": num("4"), ":hello": str("hello"), ":he": str("he"), ":x": str("x"), ":one": num("1"),
		":v": str("v"), ":S": str("S"), ":N": str("N"), ":L": str("L"), ":true": &ddb.AttributeValueMemberBOOL{Value: true}, ":bad": str("STRING"), ":xy": set("y", "x"),
	}
	for _, c := range []string{
		"n = :five", "n <> :five", "n < :six", "n <= :five", "n > :six", "n >= :six", "n BETWEEN :four AND :six", "n between :six and :six", "n IN (:four, :five)", "n IN (:four, :six)",
		"absent = :five", "absent <> :five", "absent < :five", "NOT absent = :five", "n = :hello", "n <> :hello", "n < :hello",
		"attribute_exists(n)", "attribute_exists(absent)", "attribute_not_exists(m.k)", "attribute_not_exists(m.absent)", "attribute_exists(l[1])", "attribute_exists(l[2])",
		"attribute_type(n, :N)", "attribute_type(n, :S)", "attribute_type(l, :L)", "attribute_type(n, :bad)",
		"begins_with(s, :he)", "begins_with(n, :he)", "begins_with(s, :five)", "contains(s, :he)", "contains(ss, :x)", "contains(ss, :he)", "contains(ns, :one)", "contains(l, :x)", "contains(l, :one)", "contains(absent, :x)",
		"size(s) = :five", "size(ss) < :five", "size(absent) = :five", "size(n) = :five", "size(:hello) = :five",
		"m.k = :v", "l[0] = :x", "yes = :true", "ss = :xy", ":five = n", "n = n", "s = m.k",
		"n = :five AND s = :hello OR absent = :five", "n = :six AND s = :hello OR n = :five", "NOT (n = :five AND s = :hello)", "NOT n = :six AND NOT s = :he", "n = :five and not attribute_exists(absent)",
		"((n = :five))", "(n = :five) AND (s = :hello)",
		"n = ", "= :five", "n :five", "n = :undefined", "#n = :five", "name = :five", "attribute_exists(:five)", "attribute_exists(n, s)", "begins_with(s)", "unknown(s)", "size(n)", "n", "(n = :five", "n = :five)", "n IN ()", "n BETWEEN :six AND :four", "if_not_exists(n, :five) = :five", "n == :five", "n = :five;", "n = 5", "N = :five", "",
	} {
		used := item{}
		for k, v := range vals {
			if containsToken(c, k) {
				used[k] = v
			}
		}
		in := &dynamodb.PutItemInput{TableName: aws.String("conditions"), Item: item{"id": str("none")}, ConditionExpression: &c}
		if len(used) > 0 {
			in.ExpressionAttributeValues = used
		}
		touch := maps.Clone(used)
		touch[":touched"] = num("1")
		update := &dynamodb.UpdateItemInput{
			TableName: t, Key: item{"id": str("a")}, UpdateExpression: aws.String("SET touched = :touched"),
			ConditionExpression: &c, ExpressionAttributeValues: touch,
		}
		_, err := s.UpdateItem(s.ctx, update)
		s.keep(fmt.Sprintf("%q of the item", c), err)
		_, err = s.PutItem(s.ctx, in)
		s.keep(fmt.Sprintf("%q of none", c), err)
		_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: t, Key: item{"id": str("none")}})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	for name, in := range map[string]*dynamodb.PutItemInput{
		"a value without use":      {ConditionExpression: aws.String("n = :five"), ExpressionAttributeValues: item{":five": num("5"), ":six": num("6")}},
		"a name without use":       {ConditionExpression: aws.String("n = :five"), ExpressionAttributeValues: item{":five": num("5")}, ExpressionAttributeNames: map[string]string{"#x": "x"}},
		"values without condition": {ExpressionAttributeValues: item{":five": num("5")}},
		"names without condition":  {ExpressionAttributeNames: map[string]string{"#x": "x"}},
		"no values":                {ConditionExpression: aws.String("attribute_exists(n)"), ExpressionAttributeValues: item{}},
		"both forms":               {ConditionExpression: aws.String("attribute_exists(n)"), Expected: map[string]ddb.ExpectedAttributeValue{"n": {Exists: aws.Bool(false)}}},
		"a name of a bad form":     {ConditionExpression: aws.String("attribute_exists(x)"), ExpressionAttributeNames: map[string]string{"x": "x"}},
	} {
		in.TableName, in.Item = t, item{"id": str("b")}
		_, err := s.PutItem(s.ctx, in)
		s.keep(name, err)
	}
}

func updates(s *tableSession) {
	t := s.table("updates", false)
	vals := item{
		":one": num("1"), ":s": str("new"), ":l": lst(str("y")), ":ss": set("b", "c"), ":ns": nums("7"), ":m": mp(item{"x": num("1")}), ":empty": lst(),
	}
	for _, u := range []string{
		"SET a = :s", "SET n = n + :one", "SET n = n - :one", "SET n = :one + :one", "SET n = if_not_exists(n, :one) + :one", "SET absent = if_not_exists(absent, :one)",
		"SET l = list_append(l, :l)", "SET l = list_append(:l, l)", "SET fresh = list_append(if_not_exists(fresh, :empty), :l)", "SET l[0] = :s", "SET l[9] = :s", "SET l[9] = :s, l[8] = :one", "SET m.k = :s", "SET m.more = :s", "SET m.k.deep = :s", "SET absent.k = :s", "SET a = s", "SET a = absent",
		"SET a = m.k, b = l[1]", "SET n = s, s = n", "REMOVE n", "REMOVE absent", "REMOVE l[0]", "REMOVE l[0], l[1]", "REMOVE l[7]", "REMOVE m.k", "REMOVE m.absent", "REMOVE absent.k",
		"ADD n :one", "ADD absent :one", "ADD ss :ss", "ADD absent :ss", "ADD ns :ns", "ADD s :one", "ADD ss :one", "ADD n :ss", "ADD m.cnt :one",
		"DELETE ss :ss", "DELETE absent :ss", "DELETE n :ss", "DELETE ss :ns", "SET a = :s REMOVE n ADD c :one DELETE ss :ss", "set a = :s remove n",
	} {
		s.put(t, item{"id": str("a"), "n": num("5"), "s": str("text"), "l": lst(str("x"), num("2"), str("z")), "m": mp(item{"k": str("v")}), "ss": set("a", "b"), "ns": nums("1")})
		used := item{}
		for k, v := range vals {
			if containsToken(u, k) {
				used[k] = v
			}
		}
		in := &dynamodb.UpdateItemInput{TableName: t, Key: item{"id": str("a")}, UpdateExpression: &u, ReturnValues: "ALL_NEW"}
		if len(used) > 0 {
			in.ExpressionAttributeValues = used
		}
		_, err := s.UpdateItem(s.ctx, in)
		s.keep(fmt.Sprintf("%q", u), err)
	}
	_, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: t, Key: item{"id": str("made")}, ReturnValues: "ALL_NEW"})
	s.keep("nothing, of none", err)
	_, err = s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: t, Key: item{"id": str("made too")}, UpdateExpression: aws.String("SET x = :x"), ExpressionAttributeValues: item{":x": num("1")}, ReturnValues: "ALL_NEW"})
	s.keep("of none", err)
	_, err = s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: t, Key: item{"id": str("removed")}, UpdateExpression: aws.String("REMOVE x"), ReturnValues: "ALL_NEW"})
	s.keep("remove, of none", err)
}

// containsToken reports whether an expression contains a value; :ss does not contain :s.
func containsToken(expression, value string) bool {
	for _, f := range strings.FieldsFunc(expression, func(r rune) bool { return strings.ContainsRune(" ,();", r) }) {
		if f == value {
			return true
		}
	}
	return false
}

func refusedUpdates(s *tableSession) {
	t := s.table("refused-updates", false)
	s.put(t, item{"id": str("a"), "n": num("5"), "s": str("text")})
	vals := item{":one": num("1"), ":s": str("new"), ":ss": set("b")}
	for _, u := range []string{
		"SET id = :s", "REMOVE id", "SET a = :s, a = :one", "SET m = :s, m.k = :one", "SET a = :s SET b = :one", "SET a", "SET a = ", "SET = :s", "SET a :s", "REMOVE", "ADD n", "ADD n = :one", "ADD s :s", "DELETE n :one",
		"SET a = :undefined", "SET #a = :s", "SET a = unknown(n)", "SET a = attribute_exists(n)", "SET a = if_not_exists(n)", "SET a = list_append(n, :s)", "SET a = :s + :one", "SET n = s + :one", "SET a = n + :one + :one", "SET name = :s", "SET a = :s,", "SET a = :s b = :one", "UPDATE a = :s", "",
	} {
		used := item{}
		for k, v := range vals {
			if containsToken(u, k) {
				used[k] = v
			}
		}
		in := &dynamodb.UpdateItemInput{TableName: t, Key: item{"id": str("a")}, UpdateExpression: &u, ReturnValues: "ALL_NEW"}
		if len(used) > 0 {
			in.ExpressionAttributeValues = used
		}
		_, err := s.UpdateItem(s.ctx, in)
		s.keep(fmt.Sprintf("%q", u), err)
	}
}

func projections(s *tableSession) {
	t := s.table("projections", false)
	s.put(t, item{"id": str("a"), "n": num("5"), "l": lst(str("x"), mp(item{"k1": num("1"), "k2": num("2")}), str("z")), "m": mp(item{"k": str("v"), "deep": mp(item{"a": num("1"), "b": num("2")})}), "odd.name": str("dot")})
	for _, p := range []string{"n", "id, n", "absent", "m.k", "m.deep.a, m.deep.b", "l[0]", "l[2], l[0]", "l[1].k1", "l[9]", "#odd", "m, m.k", "n, n", "m.k, l[1].k2, n", "n,", "", "name"} {
		_, err := s.GetItem(s.ctx, &dynamodb.GetItemInput{
			TableName: t, Key: item{"id": str("a")}, ProjectionExpression: &p, ExpressionAttributeNames: used(p, map[string]string{"#odd": "odd.name"}),
		})
		s.keep(fmt.Sprintf("%q", p), err)
	}
}

func legacyWrites(s *tableSession) {
	t := s.table("legacy", false)
	fresh := func() {
		s.put(t, item{"id": str("a"), "n": num("5"), "s": str("text"), "ss": set("a", "b"), "l": lst(str("x"))})
	}
	fresh()
	list := func(v ...ddb.AttributeValue) []ddb.AttributeValue { return v }
	for name, c := range map[string]ddb.Condition{
		"EQ": {AttributeValueList: list(num("5"))}, "NE": {AttributeValueList: list(num("5"))}, "LT": {AttributeValueList: list(num("6"))}, "LE": {AttributeValueList: list(num("4"))},
		"GT": {AttributeValueList: list(num("4"))}, "GE": {AttributeValueList: list(num("6"))}, "BETWEEN": {AttributeValueList: list(num("4"), num("6"))}, "IN": {AttributeValueList: list(num("4"), num("5"))},
		"NULL": {}, "NOT_NULL": {},
	} {
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{
			TableName: t, Item: item{"id": str("a"), "n": num("5"), "s": str("text"), "ss": set("a", "b")},
			Expected: map[string]ddb.ExpectedAttributeValue{"n": {ComparisonOperator: ddb.ComparisonOperator(name), AttributeValueList: c.AttributeValueList}},
		})
		s.keep("expected "+name, err)
	}
	for name, c := range map[string]ddb.ExpectedAttributeValue{
		"BEGINS_WITH": {AttributeValueList: list(str("te"))}, "CONTAINS": {AttributeValueList: list(str("ex"))}, "NOT_CONTAINS": {AttributeValueList: list(str("ex"))},
	} {
		c.ComparisonOperator = ddb.ComparisonOperator(name)
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: t, Item: item{"id": str("a"), "n": num("5"), "s": str("text"), "ss": set("a", "b")}, Expected: map[string]ddb.ExpectedAttributeValue{"s": c}})
		s.keep("expected "+name, err)
	}
	for _, operator := range []ddb.ConditionalOperator{"AND", "OR"} {
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{
			TableName: t, Item: item{"id": str("a"), "n": num("5"), "s": str("text")}, ConditionalOperator: operator,
			Expected: map[string]ddb.ExpectedAttributeValue{"n": {Value: num("5")}, "s": {Value: str("other")}},
		})
		s.keep("expected with "+string(operator), err)
	}
	for name, e := range map[string]ddb.ExpectedAttributeValue{
		"exists without a value": {Exists: aws.Bool(true)}, "not exists with a value": {Exists: aws.Bool(false), Value: num("5")},
		"an operator and a value": {ComparisonOperator: "EQ", Value: num("5")}, "a list without an operator": {AttributeValueList: list(num("5"))}, "a list and a value": {ComparisonOperator: "EQ", AttributeValueList: list(num("5")), Value: num("5")},
		"an operator and exists": {ComparisonOperator: "EQ", AttributeValueList: list(num("5")), Exists: aws.Bool(true)}, "an operator without values": {ComparisonOperator: "EQ"}, "too few values": {ComparisonOperator: "BETWEEN", AttributeValueList: list(num("5"))},
	} {
		fresh()
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: t, Item: item{"id": str("a")}, Expected: map[string]ddb.ExpectedAttributeValue{"n": e}})
		s.keep("expected with "+name, err)
	}
	for name, u := range map[string]map[string]ddb.AttributeValueUpdate{
		"put": {"n": {Action: "PUT", Value: str("x")}}, "add a number": {"n": {Action: "ADD", Value: num("2")}}, "add to nothing": {"c": {Action: "ADD", Value: num("2")}},
		"add to a set": {"ss": {Action: "ADD", Value: set("c")}}, "delete": {"n": {Action: "DELETE"}}, "delete of a set": {"ss": {Action: "DELETE", Value: set("a")}}, "delete a whole set": {"ss": {Action: "DELETE", Value: set("a", "b")}},
		"default": {"n": {Value: num("9")}}, "put nothing": {"n": {Action: "PUT"}}, "add to a string": {"s": {Action: "ADD", Value: num("1")}}, "add a string": {"x": {Action: "ADD", Value: str("1")}}, "of the key": {"id": {Action: "PUT", Value: str("x")}},
		"of an unknown action": {"n": {Action: "APPEND", Value: num("1")}},
	} {
		fresh()
		_, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{TableName: t, Key: item{"id": str("a")}, AttributeUpdates: u, ReturnValues: "ALL_NEW"})
		s.keep("update: "+name, err)
	}
}

func legacyReads(s *tableSession) {
	t := s.table("legacy-reads", true)
	for i := range 5 {
		s.put(t, item{"id": str("a"), "seq": num(fmt.Sprint(i)), "x": str(fmt.Sprint("x", i))})
	}
	eq := func(v ddb.AttributeValue) ddb.Condition {
		return ddb.Condition{ComparisonOperator: "EQ", AttributeValueList: []ddb.AttributeValue{v}}
	}
	_, err := s.Query(s.ctx, &dynamodb.QueryInput{TableName: t, KeyConditions: map[string]ddb.Condition{"id": eq(str("a")), "seq": {ComparisonOperator: "GE", AttributeValueList: []ddb.AttributeValue{num("3")}}}})
	s.keep("query", err)
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{TableName: t, KeyConditions: map[string]ddb.Condition{"id": eq(str("a"))}, QueryFilter: map[string]ddb.Condition{"x": eq(str("x1"))}, AttributesToGet: []string{"x"}})
	s.keep("query with a filter", err)
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{TableName: t, KeyConditions: map[string]ddb.Condition{"id": eq(str("a"))}, QueryFilter: map[string]ddb.Condition{"seq": eq(num("1"))}})
	s.keep("query with a filter on a key", err)
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{TableName: t, KeyConditions: map[string]ddb.Condition{"seq": eq(num("1"))}})
	s.keep("query without a hash key", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, ScanFilter: map[string]ddb.Condition{"seq": {ComparisonOperator: "LT", AttributeValueList: []ddb.AttributeValue{num("2")}}}})
	s.keepUnordered("scan with a filter", err)
	_, err = s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: t, Key: item{"id": str("a"), "seq": num("1")}, AttributesToGet: []string{"x", "absent"}})
	s.keep("get", err)
}

func queries(s *tableSession) {
	t := s.table("queries", true)
	for i := range 10 {
		s.put(t, item{"id": str("a"), "seq": num(fmt.Sprint(i)), "even": &ddb.AttributeValueMemberBOOL{Value: i%2 == 0}})
	}
	s.put(t, item{"id": str("b"), "seq": num("1")})
	for _, c := range []string{
		"id = :a", "id = :a AND seq = :three", "id = :a AND seq < :three", "id = :a AND seq <= :three", "id = :a AND seq > :seven", "id = :a AND seq >= :seven", "id = :a AND seq BETWEEN :three AND :seven", "seq > :seven AND id = :a", "(id = :a) AND (seq = :three)",
		"id = :none", "seq = :three", "id > :a", "id = :a AND even = :three", "id = :a OR seq = :three", "id = :a AND seq <> :three", "id = :a AND begins_with(seq, :a)", "id = :three", "id = :a AND seq = :a", "id = :a AND NOT seq = :three", "id = :a AND seq IN (:three)", "attribute_exists(id)", "id", "",
	} {
		_, err := s.Query(s.ctx, &dynamodb.QueryInput{
			TableName: t, KeyConditionExpression: &c,
			ExpressionAttributeValues: used(c, item{":a": str("a"), ":three": num("3"), ":seven": num("7"), ":none": str("none")}),
		})
		s.keep(fmt.Sprintf("%q", c), err)
	}
	a := func() *dynamodb.QueryInput {
		return &dynamodb.QueryInput{TableName: t, KeyConditionExpression: aws.String("id = :a"), ExpressionAttributeValues: item{":a": str("a")}}
	}
	in := a()
	in.Limit = aws.Int32(4)
	for page := range 4 {
		out, err := s.Query(s.ctx, in)
		s.keep(fmt.Sprint("page ", page), err)
		if err != nil || out.LastEvaluatedKey == nil {
			break
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	in = a()
	in.Limit, in.ScanIndexForward = aws.Int32(6), aws.Bool(false)
	for page := range 3 {
		out, err := s.Query(s.ctx, in)
		s.keep(fmt.Sprint("page backwards ", page), err)
		if err != nil || out.LastEvaluatedKey == nil {
			break
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
	in = a()
	in.FilterExpression, in.ExpressionAttributeValues[":t"] = aws.String("even = :t"), &ddb.AttributeValueMemberBOOL{Value: true}
	in.Limit = aws.Int32(3)
	_, err := s.Query(s.ctx, in)
	s.keep("a filter and a limit", err)
	in.Limit, in.Select = nil, "COUNT"
	_, err = s.Query(s.ctx, in)
	s.keep("count", err)
	in = a()
	in.FilterExpression, in.ExpressionAttributeValues[":t"] = aws.String("seq = :t"), num("1")
	_, err = s.Query(s.ctx, in)
	s.keep("a filter on a key", err)
	in = a()
	in.Limit = aws.Int32(0)
	_, err = s.Query(s.ctx, in)
	s.keep("limit 0", err)
	in = a()
	in.ExclusiveStartKey = item{"id": str("a")}
	_, err = s.Query(s.ctx, in)
	s.keep("a start key that is none", err)
	in = a()
	in.Limit = aws.Int32(10)
	_, err = s.Query(s.ctx, in)
	s.keep("a limit of all", err)
	in = a()
	in.IndexName = aws.String("absent")
	_, err = s.Query(s.ctx, in)
	s.keep("an index that is not there", err)
	in = a()
	in.Select = "SPECIFIC_ATTRIBUTES"
	_, err = s.Query(s.ctx, in)
	s.keep("specific attributes, but none", err)
}

func indexes(s *tableSession) {
	name := aws.String("indexes")
	key := func(h, r string) []ddb.KeySchemaElement {
		return []ddb.KeySchemaElement{{AttributeName: &h, KeyType: "HASH"}, {AttributeName: &r, KeyType: "RANGE"}}
	}
	_, err := s.CreateTable(s.ctx, &dynamodb.CreateTableInput{
		TableName: name, BillingMode: "PAY_PER_REQUEST", KeySchema: key("id", "seq"),
		AttributeDefinitions: []ddb.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: "S"}, {AttributeName: aws.String("seq"), AttributeType: "N"}, {AttributeName: aws.String("owner"), AttributeType: "S"}, {AttributeName: aws.String("rank"), AttributeType: "N"},
		},
		GlobalSecondaryIndexes: []ddb.GlobalSecondaryIndex{
			{IndexName: aws.String("all"), KeySchema: key("owner", "rank"), Projection: &ddb.Projection{ProjectionType: "ALL"}},
			{IndexName: aws.String("some"), KeySchema: key("owner", "id"), Projection: &ddb.Projection{ProjectionType: "INCLUDE", NonKeyAttributes: []string{"x"}}},
		},
		LocalSecondaryIndexes: []ddb.LocalSecondaryIndex{{IndexName: aws.String("local"), KeySchema: key("id", "rank"), Projection: &ddb.Projection{ProjectionType: "KEYS_ONLY"}}},
	})
	s.keep("create", err)
	s.settled(*name)
	_, err = s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: name})
	s.keep("describe", err)
	for i := range 6 {
		it := item{"id": str("a"), "seq": num(fmt.Sprint(i)), "owner": str(fmt.Sprint("w", i%2)), "rank": num(fmt.Sprint(10 - i)), "x": str("x"), "y": str("y")}
		if i == 5 {
			delete(it, "rank")
		}
		s.put(name, it)
	}
	for _, c := range []struct{ index, condition string }{{"all", "#o = :w"}, {"all", "#o = :w AND #r > :n"}, {"some", "#o = :w"}, {"local", "id = :a"}, {"local", "id = :a AND #r <= :n"}, {"all", "id = :a"}} {
		in := &dynamodb.QueryInput{
			TableName: name, IndexName: &c.index, KeyConditionExpression: &c.condition,
			ExpressionAttributeNames:  used(c.condition, map[string]string{"#o": "owner", "#r": "rank"}),
			ExpressionAttributeValues: used(c.condition, item{":w": str("w0"), ":n": num("7"), ":a": str("a")}),
		}
		_, err := s.Query(s.ctx, in)
		s.keep(fmt.Sprintf("query %s: %s", c.index, c.condition), err)
		in.Limit = aws.Int32(1)
		_, err = s.Query(s.ctx, in)
		s.keep(fmt.Sprintf("query one of %s: %s", c.index, c.condition), err)
	}
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{
		TableName: name, IndexName: aws.String("all"), KeyConditionExpression: aws.String("#o = :w"), ConsistentRead: aws.Bool(true),
		ExpressionAttributeNames: map[string]string{"#o": "owner"}, ExpressionAttributeValues: item{":w": str("w0")},
	})
	s.keep("a consistent read of a global one", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: name, IndexName: aws.String("all")})
	s.keepUnordered("scan", err)
	_, err = s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: name, Item: item{"id": str("a"), "seq": num("7"), "owner": num("1")}})
	s.keep("put a key of another type", err)
	_, err = s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: name, Item: item{"id": str("a"), "seq": num("7"), "owner": str("")}})
	s.keep("put an empty key", err)
	_, err = s.UpdateTable(s.ctx, &dynamodb.UpdateTableInput{TableName: name, GlobalSecondaryIndexUpdates: []ddb.GlobalSecondaryIndexUpdate{{Delete: &ddb.DeleteGlobalSecondaryIndexAction{IndexName: aws.String("absent")}}}})
	s.keep("delete what is not there", err)
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{
		TableName: name, IndexName: aws.String("some"), KeyConditionExpression: aws.String("#o = :w"), FilterExpression: aws.String("seq > :w AND id = :w"),
		ExpressionAttributeNames: map[string]string{"#o": "owner"}, ExpressionAttributeValues: item{":w": str("w0")},
	})
	s.keep("a filter on a key", err)
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{
		TableName: name, IndexName: aws.String("all"), KeyConditionExpression: aws.String("#o = :w"), FilterExpression: aws.String("id = :a"),
		ExpressionAttributeNames: map[string]string{"#o": "owner"}, ExpressionAttributeValues: item{":w": str("w0"), ":a": str("a")}, Select: "COUNT",
	})
	s.keep("a filter on a key of the table", err)
}

// indexCapacity records the capacity that writes consume in a global index of x, and in a
// local one of all attributes.
func indexCapacity(s *tableSession) {
	name := aws.String("index-capacity")
	_, err := s.CreateTable(s.ctx, &dynamodb.CreateTableInput{
		TableName: name, BillingMode: "PAY_PER_REQUEST",
		KeySchema: []ddb.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "HASH"}, {AttributeName: aws.String("seq"), KeyType: "RANGE"}},
		AttributeDefinitions: []ddb.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: "S"}, {AttributeName: aws.String("seq"), AttributeType: "N"}, {AttributeName: aws.String("owner"), AttributeType: "S"}, {AttributeName: aws.String("rank"), AttributeType: "N"},
		},
		GlobalSecondaryIndexes: []ddb.GlobalSecondaryIndex{{
			IndexName: aws.String("global"), KeySchema: []ddb.KeySchemaElement{{AttributeName: aws.String("owner"), KeyType: "HASH"}},
			Projection: &ddb.Projection{ProjectionType: "INCLUDE", NonKeyAttributes: []string{"x"}},
		}},
		LocalSecondaryIndexes: []ddb.LocalSecondaryIndex{{
			IndexName: aws.String("local"), KeySchema: []ddb.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "HASH"}, {AttributeName: aws.String("rank"), KeyType: "RANGE"}},
			Projection: &ddb.Projection{ProjectionType: "ALL"},
		}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.settled(*name)
	whole := item{"id": str("a"), "seq": num("1"), "owner": str("w0"), "rank": num("1"), "x": str("x"), "y": str("y")}
	long := maps.Clone(whole)
	long["x"] = str(strings.Repeat("x", 3000))
	for _, p := range []struct {
		what string
		item item
	}{{"in no index", item{"id": str("b"), "seq": num("1")}}, {"in both", whole}, {"the same again", whole}, {"of 3 KB", long}, {"short again", whole}} {
		_, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: name, Item: p.item, ReturnConsumedCapacity: "INDEXES"})
		s.keep("capacity of a put "+p.what, err)
	}
	key := item{"id": str("a"), "seq": num("1")}
	for _, expression := range []string{"SET y = :s", "SET x = :s", "SET #o = :s", "REMOVE #o", "SET #r = :n", "REMOVE #r", "SET #o = :s, #r = :n"} {
		_, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
			TableName: name, Key: key, UpdateExpression: &expression, ReturnConsumedCapacity: "INDEXES",
			ExpressionAttributeNames:  used(expression, map[string]string{"#o": "owner", "#r": "rank"}),
			ExpressionAttributeValues: used(expression, item{":s": str("s"), ":n": num("2")}),
		})
		s.keep("capacity of "+expression, err)
	}
	again := maps.Clone(whole)
	again["seq"] = num("2")
	_, err = s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{
		RequestItems:           map[string][]ddb.WriteRequest{*name: {{PutRequest: &ddb.PutRequest{Item: again}}, {DeleteRequest: &ddb.DeleteRequest{Key: item{"id": str("none"), "seq": num("1")}}}}},
		ReturnConsumedCapacity: "INDEXES",
	})
	s.keep("capacity of a batch", err)
	again["x"] = str("another")
	_, err = s.TransactWriteItems(s.ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []ddb.TransactWriteItem{
			{Put: &ddb.Put{TableName: name, Item: again}},
			{ConditionCheck: &ddb.ConditionCheck{TableName: name, Key: key, ConditionExpression: aws.String("attribute_exists(id)")}},
		},
		ReturnConsumedCapacity: "INDEXES",
	})
	s.keep("capacity of a transaction", err)
	_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: name, Key: key, ReturnConsumedCapacity: "TOTAL"})
	s.keep("capacity of a delete: TOTAL", err)
	_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: name, Key: item{"id": str("a"), "seq": num("2")}, ReturnConsumedCapacity: "INDEXES"})
	s.keep("capacity of a delete: INDEXES", err)
	_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: name, Key: key, ReturnConsumedCapacity: "INDEXES"})
	s.keep("capacity of a delete of none", err)
	_, err = s.Query(s.ctx, &dynamodb.QueryInput{
		TableName: name, IndexName: aws.String("local"), KeyConditionExpression: aws.String("id = :a"), ExpressionAttributeValues: item{":a": str("a")}, ReturnConsumedCapacity: "INDEXES",
	})
	s.keep("capacity of a query", err)
}

func scans(s *tableSession) {
	t := s.table("scans", true)
	for i := range 9 {
		s.put(t, item{"id": str(fmt.Sprint("id", i)), "seq": num("1"), "n": num(fmt.Sprint(i)), "entityType": str([]string{"LEASE", "STREAM"}[i%2])})
	}
	_, err := s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t})
	s.keepUnordered("whole", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, FilterExpression: aws.String("entityType = :entityType"), ExpressionAttributeValues: item{":entityType": str("LEASE")}, ProjectionExpression: aws.String("n")})
	s.keepUnordered("filter", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, Select: "COUNT"})
	s.keep("count", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, Select: "COUNT", Limit: aws.Int32(20)})
	s.keep("a limit above", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, Segment: aws.Int32(2), TotalSegments: aws.Int32(2)})
	s.keep("a segment too high", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, Segment: aws.Int32(0)})
	s.keep("a segment of none", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, TotalSegments: aws.Int32(2)})
	s.keep("no segment of two", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, FilterExpression: aws.String("n =")})
	s.keep("a filter that is none", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t, ReturnConsumedCapacity: "TOTAL", Select: "COUNT"})
	s.keep("capacity", err)
}

func batches(s *tableSession) {
	t := s.table("batches", false)
	write := func(items ...item) map[string][]ddb.WriteRequest {
		var all []ddb.WriteRequest
		for _, it := range items {
			all = append(all, ddb.WriteRequest{PutRequest: &ddb.PutRequest{Item: it}})
		}
		return map[string][]ddb.WriteRequest{*t: all}
	}
	_, err := s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: write(item{"id": str("a"), "x": num("1")}, item{"id": str("b"), "x": num("2")})})
	s.keep("write", err)
	_, err = s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]ddb.WriteRequest{*t: {{DeleteRequest: &ddb.DeleteRequest{Key: item{"id": str("a")}}}, {PutRequest: &ddb.PutRequest{Item: item{"id": str("c")}}}}}})
	s.keep("delete and write", err)
	_, err = s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: write(item{"id": str("d")}, item{"id": str("d")})})
	s.keep("write twins", err)
	_, err = s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: write(item{"x": str("d")})})
	s.keep("write without a key", err)
	_, err = s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]ddb.WriteRequest{}})
	s.keep("write nothing", err)
	var many []item
	for i := range 26 {
		many = append(many, item{"id": str(fmt.Sprint(i))})
	}
	_, err = s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: write(many...)})
	s.keep("write 26", err)
	_, err = s.BatchWriteItem(s.ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]ddb.WriteRequest{"absent": write(item{"id": str("a")})[*t]}})
	s.keep("write into what is not there", err)
	get := func(keys ...item) map[string]ddb.KeysAndAttributes {
		return map[string]ddb.KeysAndAttributes{*t: {Keys: keys}}
	}
	_, err = s.BatchGetItem(s.ctx, &dynamodb.BatchGetItemInput{RequestItems: get(item{"id": str("b")}, item{"id": str("none")})})
	s.keep("get", err)
	_, err = s.BatchGetItem(s.ctx, &dynamodb.BatchGetItemInput{RequestItems: get(item{"id": str("none")})})
	s.keep("get nothing", err)
	_, err = s.BatchGetItem(s.ctx, &dynamodb.BatchGetItemInput{RequestItems: get(item{"id": str("b")}, item{"id": str("b")})})
	s.keep("get twins", err)
	_, err = s.BatchGetItem(s.ctx, &dynamodb.BatchGetItemInput{RequestItems: get(item{"x": str("b")})})
	s.keep("get what is no key", err)
	_, err = s.BatchGetItem(s.ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]ddb.KeysAndAttributes{*t: {Keys: []item{{"id": str("b")}}, ProjectionExpression: aws.String("x")}}})
	s.keep("get a projection", err)
}

func transactions(s *tableSession) {
	t := s.table("transactions", false)
	s.put(t, item{"id": str("a"), "n": num("1")})
	put := func(id, condition string) ddb.TransactWriteItem {
		p := &ddb.Put{TableName: t, Item: item{"id": str(id)}}
		if condition != "" {
			p.ConditionExpression = &condition
		}
		return ddb.TransactWriteItem{Put: p}
	}
	check := func(id, condition string) ddb.TransactWriteItem {
		return ddb.TransactWriteItem{ConditionCheck: &ddb.ConditionCheck{TableName: t, Key: item{"id": str(id)}, ConditionExpression: &condition, ReturnValuesOnConditionCheckFailure: "ALL_OLD"}}
	}
	add := func(id string) ddb.TransactWriteItem {
		return ddb.TransactWriteItem{Update: &ddb.Update{TableName: t, Key: item{"id": str(id)}, UpdateExpression: aws.String("ADD n :one"), ExpressionAttributeValues: item{":one": num("1")}}}
	}
	run := func(name string, items ...ddb.TransactWriteItem) {
		_, err := s.TransactWriteItems(s.ctx, &dynamodb.TransactWriteItemsInput{TransactItems: append([]ddb.TransactWriteItem{}, items...)})
		s.keep(name, err)
	}
	run("put and check", put("b", "attribute_not_exists(id)"), check("a", "attribute_exists(id)"), add("c"))
	run("one of three fails", add("c"), put("b", "attribute_not_exists(id)"), check("a", "attribute_exists(id)"))
	run("a check fails, with the old item", add("c"), check("a", "attribute_not_exists(id)"))
	run("delete", ddb.TransactWriteItem{Delete: &ddb.Delete{TableName: t, Key: item{"id": str("b")}}})
	run("twice the same item", add("c"), check("c", "attribute_exists(id)"))
	run("none")
	run("a table that is not there", ddb.TransactWriteItem{Put: &ddb.Put{TableName: aws.String("absent"), Item: item{"id": str("a")}}})
	run("without a key", ddb.TransactWriteItem{Put: &ddb.Put{TableName: t, Item: item{"x": str("a")}}})
	token := &dynamodb.TransactWriteItemsInput{TransactItems: []ddb.TransactWriteItem{add("a")}, ClientRequestToken: aws.String("token"), ReturnConsumedCapacity: "INDEXES"}
	_, err := s.TransactWriteItems(s.ctx, token)
	s.keep("capacity with a token", err)
	_, err = s.TransactWriteItems(s.ctx, token)
	s.keep("capacity with a token again", err)
	token.TransactItems = []ddb.TransactWriteItem{add("other")}
	_, err = s.TransactWriteItems(s.ctx, token)
	s.keep("with a token of another request", err)
	_, err = s.Scan(s.ctx, &dynamodb.ScanInput{TableName: t})
	s.keepUnordered("what is there", err)
	get := func(id string) ddb.TransactGetItem {
		return ddb.TransactGetItem{Get: &ddb.Get{TableName: t, Key: item{"id": str(id)}}}
	}
	_, err = s.TransactGetItems(s.ctx, &dynamodb.TransactGetItemsInput{TransactItems: []ddb.TransactGetItem{get("c"), get("none")}, ReturnConsumedCapacity: "TOTAL"})
	s.keep("capacity of a get", err)
	_, err = s.TransactGetItems(s.ctx, &dynamodb.TransactGetItemsInput{TransactItems: []ddb.TransactGetItem{}})
	s.keep("get none", err)
	for name, key := range map[string]item{"get without a key": {}, "get a key of another type": {"id": num("1")}} {
		_, err = s.TransactGetItems(s.ctx, &dynamodb.TransactGetItemsInput{TransactItems: []ddb.TransactGetItem{get("c"), {Get: &ddb.Get{TableName: t, Key: key}}}})
		s.keep(name, err)
	}
}

func settings(s *tableSession) {
	t := s.table("settings", false)
	_, err := s.DescribeTimeToLive(s.ctx, &dynamodb.DescribeTimeToLiveInput{TableName: t})
	s.keep("time to live, off", err)
	ttl := &dynamodb.UpdateTimeToLiveInput{TableName: t, TimeToLiveSpecification: &ddb.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)}}
	_, err = s.UpdateTimeToLive(s.ctx, ttl)
	s.keep("time to live", err)
	_, err = s.UpdateTimeToLive(s.ctx, ttl)
	s.keep("time to live again", err)
	_, err = s.DescribeTimeToLive(s.ctx, &dynamodb.DescribeTimeToLiveInput{TableName: t})
	s.keep("time to live, on", err)
	_, err = s.DescribeTimeToLive(s.ctx, &dynamodb.DescribeTimeToLiveInput{TableName: aws.String("absent")})
	s.keep("time to live of what is not there", err)
	_, err = s.DescribeContinuousBackups(s.ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: t})
	s.keep("backups, off", err)
	_, err = s.UpdateContinuousBackups(s.ctx, &dynamodb.UpdateContinuousBackupsInput{TableName: t, PointInTimeRecoverySpecification: &ddb.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)}})
	s.keep("backups", err)
	_, err = s.DescribeContinuousBackups(s.ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: t})
	s.keep("backups, on", err)
	_, err = s.DescribeContinuousBackups(s.ctx, &dynamodb.DescribeContinuousBackupsInput{TableName: aws.String("absent")})
	s.keep("backups of what is not there", err)
	out, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: t})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.TagResource(s.ctx, &dynamodb.TagResourceInput{ResourceArn: out.Table.TableArn, Tags: []ddb.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.UntagResource(s.ctx, &dynamodb.UntagResourceInput{ResourceArn: out.Table.TableArn, TagKeys: []string{"a"}})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = s.ListTagsOfResource(s.ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: out.Table.TableArn})
	s.keep("tags", err)
}

func returns(s *tableSession) {
	t := s.table("returns", false)
	for _, r := range []ddb.ReturnValue{"NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"} {
		s.put(t, item{"id": str("a"), "n": num("1"), "x": str("x"), "m": mp(item{"k": str("v"), "l": str("w")})})
		_, err := s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
			TableName: t, Key: item{"id": str("a")}, ReturnValues: r, UpdateExpression: aws.String("SET n = :n, m.k = :n, f = :n REMOVE x"), ExpressionAttributeValues: item{":n": num("2")},
		})
		s.keep("update: "+string(r), err)
		_, err = s.UpdateItem(s.ctx, &dynamodb.UpdateItemInput{
			TableName: t, Key: item{"id": str("fresh " + string(r))}, ReturnValues: r, UpdateExpression: aws.String("SET n = :n"), ExpressionAttributeValues: item{":n": num("2")},
		})
		s.keep("update of none: "+string(r), err)
		_, err = s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: t, Item: item{"id": str("a")}, ReturnValues: r})
		s.keep("put: "+string(r), err)
		_, err = s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: t, Key: item{"id": str("a")}, ReturnValues: r})
		s.keep("delete: "+string(r), err)
	}
	_, err := s.DeleteItem(s.ctx, &dynamodb.DeleteItemInput{TableName: t, Key: item{"id": str("none")}, ReturnValues: "ALL_OLD"})
	s.keep("delete none", err)
	for _, c := range []ddb.ReturnConsumedCapacity{"TOTAL", "INDEXES"} {
		_, err = s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: t, Item: item{"id": str("c")}, ReturnConsumedCapacity: c})
		s.keep("capacity of a put: "+string(c), err)
		_, err = s.GetItem(s.ctx, &dynamodb.GetItemInput{TableName: t, Key: item{"id": str("c")}, ReturnConsumedCapacity: c})
		s.keep("capacity of a get: "+string(c), err)
	}
}
