"""Orders of long ago: their ids carry the month, so they are copied to one of an older month."""
import datetime
import uuid

from docket_local import order


def month_ago(count):
    """The first day of the month so many months ago, in UTC."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    years, month = divmod(today.year * 12 + today.month - 1 - count, 12)
    return datetime.date(years, month + 1, 1)


def make_month(docket, month):
    """Its partitions, as make_partitions would have made them then."""
    docket.sql("""
        DO $$
        DECLARE
            month date := '%s';
            parent name;
        BEGIN
            FOR parent IN SELECT month_parents() LOOP
                EXECUTE format('CREATE TABLE %%I PARTITION OF %%I FOR VALUES FROM (%%L) TO (%%L)',
                    month_table(parent, month), parent, month_floor_utc(month),
                    month_floor_utc((month + interval '1 month')::date));
                EXECUTE format('ALTER TABLE %%I OWNER TO docket_owner', month_table(parent, month));
            END LOOP;
        END $$""" % month)


def id_in(month, number=0):
    at = datetime.datetime(month.year, month.month, 2, tzinfo=datetime.timezone.utc)
    ms = int(at.timestamp() * 1000) + number
    return str(uuid.UUID(int=ms << 80 | 7 << 76 | 2 << 62 | uuid.uuid4().int & (1 << 62) - 1))


def copy_to(docket, month, public, key=None, number=0):
    """A copy of that order in the older month, under a key of its own; its public id."""
    old, new = order.to_uuid(public), id_in(month, number)
    for (table,) in docket.sql("SELECT month_parents()"):
        own = "id" if table == "orders" else "order_id"
        columns = [name for (name,) in docket.sql(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
            "AND NOT attisdropped AND attname <> %s", table, own)]
        listed = ", ".join(columns)
        docket.sql(f"INSERT INTO {table} ({own}, {listed}) SELECT %s::uuid, {listed} FROM {table} "
                   f"WHERE {own} = %s", new, old)
    docket.sql("INSERT INTO order_key (account_id, key, cart, order_id, content_hash) "
               "SELECT account_id, coalesce(%s, 'copy ' || %s), NULL, %s::uuid, content_hash "
               "FROM order_key WHERE order_id = %s LIMIT 1", key, new, new, old)
    return order.to_public(new)


def tables_of(docket, month):
    return [name for (name,) in docket.sql(
        "SELECT c.relname FROM month_parents() p JOIN pg_class c ON c.relname = "
        "month_table(p, %s) ORDER BY 1", month)]
