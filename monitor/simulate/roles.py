"""The roles of the fleet, as data: what such agents do on a working day."""

from typing import Final

from monitor.simulate.work import Pool, Role, Step

_OFFICE: Final = (
    *(0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.15, 0.4, 0.8, 1.0, 1.0, 0.95),
    *(0.6, 0.85, 1.0, 0.95, 0.8, 0.5, 0.25, 0.12, 0.08, 0.05, 0.03, 0.02),
)
_CUSTOMERS: Final = (
    *(0.15, 0.1, 0.08, 0.06, 0.06, 0.1, 0.25, 0.5, 0.75, 0.95, 1.0, 1.0),
    *(0.9, 0.9, 0.95, 0.95, 0.9, 0.85, 0.8, 0.75, 0.65, 0.5, 0.35, 0.2),
)
_ALWAYS: Final = (0.9,) * 6 + (1.0,) * 14 + (0.95,) * 4

_STAFF: Final = Pool("{name}@corp.example", 25)
_USERS: Final = Pool("{name}@corp.example", 6)

_EMPLOYEE: Final = Pool("EMP-{n:04d}", 60)
_NOTICE: Final = Pool("https://tax.example.gov/notices/{n}", 6, fresh=0.02)
PAYROLL: Final = Role(
    "payroll",
    {
        (
            Step("list_timesheets", "read", bytes_in=6000, records=40, data_class="confidential"),
            Step("get_employee", "read", _EMPLOYEE, source="list_timesheets", records=1,
                 bytes_in=1400, data_class="confidential", more=1.0),
            Step("compute_pay", "write", _EMPLOYEE, source="list_timesheets", records=1,
                 data_class="confidential"),
            Step("send_email", "external", _STAFF, source="get_employee", bytes_out=1800,
                 bytes_in=40, data_class="confidential"),
        ): 0.7,
        (
            Step("fetch_page", "read", _NOTICE, "user", bytes_in=24_000, data_class="public"),
            Step("update_tax_table", "write", Pool("tax/{word}", 4), source="fetch_page",
                 records=3, chance=0.3),
        ): 0.15,
        (
            Step("get_employee", "read", _EMPLOYEE, "user", records=1, bytes_in=1400,
                 data_class="confidential"),
            Step("update_bank_account", "write", _EMPLOYEE, "user", bytes_out=220, bytes_in=60,
                 records=1, data_class="restricted"),
            Step("send_email", "external", _STAFF, source="get_employee", bytes_out=900,
                 bytes_in=40, data_class="confidential"),
        ): 0.15,
    },
    runs_per_hour=7, hours=_OFFICE, weekend=0.04, users=_USERS,
)  # fmt: skip

_TICKET: Final = Pool("TICKET-{n}", 40, fresh=0.7)
_CUSTOMER: Final = Pool("{name}.{n}@mail.example", 80, fresh=0.6)
_ORDER: Final = Pool("ORDER-{n}", 60, fresh=0.7)
SUPPORT: Final = Role(
    "support",
    {
        (
            Step("get_ticket", "read", _TICKET, "user", bytes_in=2200, records=1),
            Step("search_kb", "read", bytes_in=5000, data_class="public", more=0.6),
            Step("get_order", "read", _ORDER, source="get_ticket", records=1,
                 data_class="confidential", chance=0.6),
            Step("send_email", "external", _CUSTOMER, source="get_ticket", bytes_out=1500,
                 bytes_in=40),
            Step("close_ticket", "write", _TICKET, "user", bytes_in=40, records=1, chance=0.7),
        ): 0.85,
        (
            Step("get_ticket", "read", _TICKET, "user", bytes_in=2200, records=1),
            Step("get_order", "read", _ORDER, source="get_ticket", records=1,
                 data_class="confidential"),
            Step("refund_order", "write", _ORDER, source="get_ticket", records=1,
                 data_class="confidential", error_rate=0.04),
            Step("send_email", "external", _CUSTOMER, source="get_ticket", bytes_out=1100,
                 bytes_in=40),
        ): 0.15,
    },
    runs_per_hour=14, hours=_CUSTOMERS, weekend=0.5, users=Pool("queue-{word}", 3),
)  # fmt: skip

_FILE: Final = Pool("/repo/src/{word}/{name}_{n}.py", 120, fresh=0.08)
CODING: Final = Role(
    "coding",
    {
        (
            Step("list_directory", "read", Pool("/repo/src/{word}", 12), "user", bytes_in=1600),
            Step("read_file", "read", _FILE, source="list_directory", bytes_in=7000, more=4.0),
            Step("edit_file", "write", _FILE, source="list_directory", bytes_out=1300,
                 bytes_in=60, more=1.0),
            Step("run_tests", "write", Pool("/repo/tests/{word}", 12), "model", bytes_in=4000,
                 more=1.0, error_rate=0.2),
            Step("git_push", "external", Pool("origin/{word}-{n}", 10, fresh=0.3), "model",
                 bytes_out=9000, bytes_in=200, chance=0.5),
        ): 0.8,
        (
            Step("fetch_page", "read", Pool("https://docs.example.org/{word}/{n}", 60, fresh=0.3),
                 "model", bytes_in=30_000, data_class="public", more=1.0),
            Step("read_file", "read", _FILE, "user", bytes_in=7000, more=1.0),
        ): 0.2,
    },
    runs_per_hour=6, hours=_OFFICE, weekend=0.1, users=_USERS,
)  # fmt: skip

_SITE: Final = Pool("https://{word}-{n}.example.net/{name}", 300, fresh=0.45)
RESEARCH: Final = Role(
    "research",
    {
        (
            Step("web_search", "read", bytes_in=9000, data_class="public", more=1.0),
            Step("fetch_page", "read", _SITE, source="web_search", bytes_in=60_000,
                 data_class="public", more=6.0, error_rate=0.06),
            Step("save_note", "write", Pool("notes/{word}/{n}", 30, fresh=0.5), "model",
                 bytes_out=2600, bytes_in=40),
        ): 1.0,
    },
    runs_per_hour=5, hours=_ALWAYS, weekend=0.9, users=Pool("desk-{word}", 4),
)  # fmt: skip

_SERVICE: Final = Pool("svc-{word}", 10)
DEVOPS: Final = Role(
    "devops",
    {
        (
            Step("get_metrics", "read", _SERVICE, "model", action="api_call", bytes_in=5000,
                 more=1.0),
            Step("read_logs", "read", _SERVICE, "model", action="api_call", bytes_in=20_000,
                 chance=0.5),
            Step("restart_service", "destructive", _SERVICE, source="get_metrics",
                 action="api_call", bytes_in=120, chance=0.05),
        ): 0.85,
        (
            Step("read_manifest", "read", Pool("deploy/{word}.yaml", 10), "user", bytes_in=3000),
            Step("deploy", "write", _SERVICE, "user", action="execute", bytes_out=3000,
                 bytes_in=800, error_rate=0.05),
            Step("get_metrics", "read", _SERVICE, "model", action="api_call", bytes_in=5000,
                 more=2.0),
        ): 0.15,
    },
    runs_per_hour=10, hours=_ALWAYS, weekend=0.8, users=Pool("oncall-{word}", 4),
)  # fmt: skip

_TABLE: Final = Pool("warehouse.{word}", 9, fresh=0.003)
ANALYST: Final = Role(
    "analyst",
    {
        (
            Step("list_tables", "read", bytes_in=1200, chance=0.5),
            Step("run_query", "read", _TABLE, "user", action="read", bytes_out=300,
                 bytes_in=40_000, records=900, data_class="confidential", more=2.0,
                 error_rate=0.05),
            Step("write_report", "write", Pool("reports/{word}", 12, fresh=0.05), "model",
                 action="write", bytes_out=14_000, bytes_in=80, chance=0.6),
            Step("post_message", "external", Pool("#team-{word}", 5), "user", action="send",
                 bytes_out=700, bytes_in=40, chance=0.5),
        ): 1.0,
    },
    runs_per_hour=6, hours=_OFFICE, weekend=0.03, users=_USERS,
)  # fmt: skip

ROLES: Final = (PAYROLL, SUPPORT, CODING, RESEARCH, DEVOPS, ANALYST)
