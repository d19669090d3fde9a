import django.contrib.postgres.indexes
import django.contrib.postgres.operations
import django.contrib.postgres.search
import django.db.models.deletion
import django.utils.timezone
import pgvector.django.extensions
import pgvector.django.halfvec
from django.conf import settings
from django.db import migrations, models

from ._triggers import SQL, UNDO


class Migration(migrations.Migration):

    replaces = [
        ('content', '0001_initial'),
        ('content', '0002_item_never_changes'),
        ('content', '0003_source_unchecked'),
        ('content', '0004_given_value'),
        ('content', '0005_threads'),
        ('content', '0006_search'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('projects', '0001_squashed'),
    ]

    operations = [
        pgvector.django.extensions.VectorExtension(
        ),
        django.contrib.postgres.operations.TrigramExtension(
        ),
        migrations.CreateModel(
            name='Item',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_id', models.CharField(max_length=200)),
                ('text', models.TextField()),
                ('text_hash', models.BinaryField(max_length=32)),
                ('split', models.CharField(choices=[('pool', 'Pool'), ('holdout', 'Hold-out')], max_length=8)),
                ('language', models.CharField(blank=True, max_length=10)),
                ('subject', models.CharField(blank=True, max_length=200)),
                ('thread', models.CharField(blank=True, db_default='', max_length=200)),
                ('url', models.URLField(blank=True, db_default='', max_length=1000)),
                ('meta', models.JSONField(default=dict)),
                ('archived_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='ImportJob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file', models.CharField(max_length=300)),
                ('filename', models.CharField(max_length=200)),
                ('format', models.JSONField(default=dict)),
                ('mapping', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('draft', 'waiting for its mapping'), ('queued', 'queued'), ('running', 'running'), ('succeeded', 'done'), ('failed', 'failed'), ('cancelled', 'cancelled')], default='draft', max_length=10)),
                ('total_bytes', models.BigIntegerField(default=0)),
                ('done_bytes', models.BigIntegerField(default=0)),
                ('rows_read', models.BigIntegerField(default=0)),
                ('rows_added', models.BigIntegerField(default=0)),
                ('rows_known', models.BigIntegerField(default=0)),
                ('rows_skipped', models.BigIntegerField(default=0)),
                ('error', models.TextField(blank=True)),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('heartbeat_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='imports', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='GivenLabel',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='given', serialize=False, to='content.item')),
                ('label', models.CharField(blank=True, max_length=120)),
                ('predicted', models.CharField(blank=True, max_length=120)),
                ('score', models.FloatField(null=True)),
                ('value', models.JSONField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name='item',
            name='source',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='content.importjob'),
        ),
        migrations.CreateModel(
            name='RejectedRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.BigIntegerField()),
                ('reason', models.TextField()),
                ('excerpt', models.CharField(blank=True, max_length=200)),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rejected', to='content.importjob')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'line'), name='rejected_line_once')],
            },
        ),
        migrations.CreateModel(
            name='Vector',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text_hash', models.BinaryField(max_length=32)),
                ('encoder_digest', models.CharField(max_length=64)),
                ('vector', pgvector.django.halfvec.HalfVectorField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('encoder_digest', 'text_hash'), name='vector_once')],
            },
        ),
        migrations.CreateModel(
            name='SearchEntry',
            fields=[
                ('item', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='content.item')),
                ('tokens', django.contrib.postgres.search.SearchVectorField()),
                ('project', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'item'], name='search_page'), django.contrib.postgres.indexes.GinIndex(fields=['tokens'], name='search_tokens')],
            },
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['project', 'id'], name='item_project_id'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['text_hash'], name='item_text_hash'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('split', 'holdout')), fields=['project', 'id'], name='item_holdout'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('thread', ''), _negated=True), fields=['project', 'thread', 'id'], name='item_thread'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['project', 'created_at', 'id'], name='item_came'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['project', 'language', 'id'], name='item_language'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('source__isnull', False)), fields=['source', 'id'], name='item_source'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('archived_at__isnull', False)), fields=['project', 'id'], name='item_archived'),
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.UniqueConstraint(fields=('project', 'external_id'), name='item_external_id_once'),
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.UniqueConstraint(fields=('id', 'split'), name='item_id_split'),
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.CheckConstraint(condition=models.Q(('split__in', ['pool', 'holdout'])), name='item_split_known'),
        ),
        migrations.AddConstraint(
            model_name='item',
            constraint=models.CheckConstraint(condition=models.Q(('text', ''), _negated=True), name='item_has_text'),
        ),
        migrations.RunSQL(SQL, UNDO),
    ]
