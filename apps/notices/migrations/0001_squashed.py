import apps.notices.models
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [
        ('notices', '0001_initial'),
    ]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed'),
        ('projects', '0001_squashed'),
    ]

    operations = [
        migrations.CreateModel(
            name='MailPreference',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='mail_preference', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('mode', models.CharField(choices=[('none', 'none'), ('at_once', 'each at once'), ('daily', 'once a day, what is still unread')], default='daily', max_length=8, verbose_name='notices by e-mail')),
            ],
        ),
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.CharField(max_length=500, verbose_name='address')),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('ticket.opened', 'a ticket is opened'), ('ticket.moved', 'a ticket moves to another state'), ('ticket.fixed', 'a version fixes a ticket'), ('ticket.regressed', 'a fixed ticket comes back'), ('reward.granted', 'a contributor is given points'), ('alarm.raised', 'an alarm is raised'), ('version.promoted', 'another model version goes live')], max_length=30), size=None)),
                ('salt', models.CharField(default=apps.notices.models.new_salt, max_length=32)),
                ('failing_since', models.DateTimeField(null=True)),
                ('disabled_at', models.DateTimeField(null=True)),
                ('disabled_why', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='webhooks', to='projects.project')),
            ],
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('title', models.CharField(max_length=300)),
                ('body', models.TextField(blank=True)),
                ('url', models.CharField(blank=True, max_length=500)),
                ('key', models.CharField(max_length=200)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('read_at', models.DateTimeField(null=True)),
                ('mail_due_at', models.DateTimeField(null=True)),
                ('mail_attempts', models.PositiveSmallIntegerField(default=0)),
                ('mailed_at', models.DateTimeField(null=True)),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='notices', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['user', '-id'], name='notice_inbox'), models.Index(condition=models.Q(('read_at', None)), fields=['user'], name='notice_unread'), models.Index(condition=models.Q(('mail_due_at__isnull', False)), fields=['mail_due_at'], name='notice_mail_due')],
                'constraints': [models.UniqueConstraint(fields=('user', 'key'), name='notice_key_once')],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('event', models.CharField(max_length=30)),
                ('about', models.CharField(max_length=100)),
                ('key', models.CharField(max_length=200)),
                ('payload', models.JSONField()),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('done', 'delivered'), ('given_up', 'given up')], default='waiting', max_length=8)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
                ('milliseconds', models.PositiveIntegerField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('tried_at', models.DateTimeField(null=True)),
                ('webhook', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='notices.webhook')),
            ],
            options={
                'indexes': [models.Index(fields=['webhook', '-id'], name='delivery_list'), models.Index(condition=models.Q(('state', 'waiting')), fields=['due_at'], name='delivery_due'), models.Index(condition=models.Q(('state', 'waiting')), fields=['webhook', 'about', 'id'], name='delivery_order')],
                'constraints': [models.UniqueConstraint(fields=('webhook', 'key'), name='delivery_key_once')],
            },
        ),
    ]
